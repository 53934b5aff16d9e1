import { Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { platformQuery } from '@/api/session';
import type { Connection, Server } from '@/api/types';
import { Notice } from '@/components/Notice';
import { Section } from '@/components/Section';
import { RunJob } from '@/features/jobs/RunJob';
import { ManagementPort } from '@/features/server/ManagementPort';
import { ByHand } from './ByHand';
import { refusal, stageOf } from './stage';

interface GatewayCardProps {
  server: Server;
  connection: Connection;
  /** A job is under way. */
  busy: boolean;
}

/** Why there is nothing to update, or undefined. */
export function updateRefusal(installed: string | null | undefined, own: string | undefined): string | undefined {
  if (own === undefined || installed === null || installed === undefined) return undefined;
  return installed === own ? `The server runs this dashboard’s version already: ${own}.` : undefined;
}

/** What can be done with a gateway that is installed. */
export function GatewayCard({ server, connection, busy }: GatewayCardProps) {
  const platform = useQuery(platformQuery);
  const refused = refusal(connection, busy);
  const cut = stageOf(connection) !== 'READY';
  const own = platform.data?.version;
  const current = updateRefusal(server.installedVersion, own);
  const off = { server, confirm: true, disabled: refused !== undefined, reason: refused };
  const newer = refused === undefined && current === undefined && own !== undefined && server.installedVersion !== null;

  return (
    <Section title="Gateway" hint="Update, restart or remove what runs on the server.">
      <Stack gap="md">
        {server.status === 'OFFLINE' && !busy && (
          <Notice tone="warn" title="The gateway is not reporting">
            It may still be serving. Look at the machine and its network; a restart may help.
          </Notice>
        )}
        <Text size="sm">
          <Versions installed={server.installedVersion} own={own} />
        </Text>
        {connection.host !== null && <ManagementPort server={server} />}
        <Group gap="xs">
          <RunJob
            {...off}
            kind="UPDATE"
            variant={newer ? 'filled' : 'default'}
            disabled={refused !== undefined || current !== undefined}
            reason={refused ?? current}
          >
            Update
          </RunJob>
          <RunJob {...off} kind="RESTART">
            Restart
          </RunJob>
          <RunJob {...off} kind="INSTALL" name="Re-install">
            Re-install
          </RunJob>
          <RunJob {...off} kind="UNINSTALL">
            Uninstall
          </RunJob>
        </Group>
        {(cut || server.status === 'OFFLINE') && <ByHand cut={cut} />}
      </Stack>
    </Section>
  );
}

function Versions({ installed, own }: { installed: string | null; own: string | undefined }) {
  if (installed === null) return <>The gateway has not reported its version yet.</>;
  const version = <span className="mono">{installed}</span>;
  if (own === undefined) return <>The server runs version {version}.</>;
  return installed === own ? (
    <>The server runs version {version}, the one of this dashboard.</>
  ) : (
    <>
      The server runs version {version}. This dashboard has <span className="mono">{own}</span>.
    </>
  );
}
