import { Button, Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { errorMessage } from '@/api/problem';
import { useCheckManagement } from '@/api/servers';
import { platformQuery } from '@/api/session';
import type { GatewayStatus, ManagementPort as Port, Server, ServerStatus } from '@/api/types';
import { Notice } from '@/components/Notice';
import { RelativeTime } from '@/components/RelativeTime';
import { StatusDot } from '@/components/StatusDot';

/** Problems that opening the port in a firewall cures. */
const CLOSED = new Set(['NO_ANSWER', 'CONNECTION_REFUSED', 'UNREACHABLE']);

/** Whether the dashboard reaches the gateway at once, or has to wait for its next heartbeat. */
export function ManagementPort({ server }: { server: Server }) {
  const check = useCheckManagement(server.id);
  const port = server.management;
  return (
    <Stack gap={6}>
      <Group gap="xs" justify="space-between" align="flex-start" wrap="nowrap">
        <Group gap="2px 10px" component="p" m={0} mt={3} fz="sm" role="status">
          <span>Management port:</span>
          <Verdict port={port} />
          {port !== null && (
            <Text span size="sm" c="dimmed">
              checked <RelativeTime at={port.checkedAt} />
            </Text>
          )}
        </Group>
        <Button
          variant="default"
          size="compact-sm"
          flex="none"
          loading={check.isPending}
          onClick={() => {
            check.mutate();
          }}
        >
          Check
        </Button>
      </Group>
      {port !== null && !port.reachable && <Consequence port={port} status={server.status} />}
      {check.isError && (
        <Notice tone="warn" urgent>
          {errorMessage(check.error)}
        </Notice>
      )}
      {check.data?.status && <OwnWord status={check.data.status} />}
    </Stack>
  );
}

function Verdict({ port }: { port: Port | null }) {
  if (port === null) return <StatusDot tone="idle" label="not checked yet" />;
  if (port.reachable) return <StatusDot tone="ok" label="answers" />;
  return <StatusDot tone="warn" label={isClosed(port) ? 'does not answer' : 'cannot be used'} />;
}

function isClosed(port: Port): boolean {
  return port.problem !== null && CLOSED.has(port.problem.code);
}

function Consequence({ port, status }: { port: Port; status: ServerStatus }) {
  const platform = useQuery(platformQuery);
  const addresses = platform.data?.dashboardIpAllowlist ?? [];
  if (status === 'KEY_RETIRED' && isClosed(port)) {
    return (
      <Text size="sm" c="dimmed">
        Nothing listens there once the gateway has stopped: its license key was retired.
      </Text>
    );
  }
  if (status === 'STOPPED_BY_LICENSE' && isClosed(port)) {
    return (
      <Text size="sm" c="dimmed">
        Nothing listens there while the gateway is stopped by its license. It keeps asking this dashboard whether it may serve again.
      </Text>
    );
  }
  return (
    <Text size="sm" c="dimmed">
      {port.problem?.sentence} Changes arrive with the next heartbeat.{' '}
      {!isClosed(port) ? (
        port.problem?.remedy
      ) : addresses.length === 0 ? (
        'To have them at once, allow TCP 6060 from this dashboard.'
      ) : (
        <>
          To have them at once, allow TCP 6060 from <span className="mono">{addresses.join(', ')}</span>.
        </>
      )}
      {port.problem?.code === 'CONNECTION_REFUSED' && ' A gateway that was stopped then refuses too: check again.'}
      {port.answeredAt !== null && (
        <>
          {' '}
          It last answered <RelativeTime at={port.answeredAt} />.
        </>
      )}
    </Text>
  );
}

/** What the gateway said of itself when it was checked. */
function OwnWord({ status }: { status: GatewayStatus }) {
  const ports = status.openPorts.join(', ');
  return (
    <Text size="sm" c="dimmed">
      The gateway says: {status.phase}, {ports === '' ? 'no ports open' : `open ports: ${ports}`}.
      {status.closedPorts.length > 0 && ` Not open: ${status.closedPorts.join('; ')}.`}
      {status.silence !== null && ` Its last heartbeat brought no verdict: ${status.silence}.`}
    </Text>
  );
}
