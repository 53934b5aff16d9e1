import { Stack } from '@mantine/core';
import type { Server } from '@/api/types';
import { Fact, Facts } from '@/components/Facts';
import { Notice } from '@/components/Notice';
import { RelativeTime } from '@/components/RelativeTime';
import { Section } from '@/components/Section';
import { ServerStatusDot } from '@/components/StatusDot';
import { ServerNameForm } from './ServerNameForm';

export function ServerCard({ server }: { server: Server }) {
  return (
    <Section title="Server" aside={<ServerStatusDot status={server.status} />}>
      <Stack gap="md">
        {server.keyInUseOnHosts > 1 && <SharedKey hosts={server.keyInUseOnHosts} />}
        <ServerNameForm server={server} />
        <ServerFacts server={server} />
      </Stack>
    </Section>
  );
}

export function SharedKey({ hosts }: { hosts: number }) {
  return (
    <Notice tone="bad" title={`Key in use on ${hosts} hosts`}>
      More than one machine sends heartbeats with this license key. If that is not a move in progress, the key has
      leaked: regenerate it and install again.
    </Notice>
  );
}

export function ServerFacts({ server }: { server: Server }) {
  const { host } = server;
  return (
    <Facts>
      <Fact name="Installed version">
        {server.installedVersion ? <span className="mono">{server.installedVersion}</span> : 'Not reported yet'}
      </Fact>
      <Fact name="Last heartbeat">
        <RelativeTime at={server.lastHeartbeatAt} />
      </Fact>
      {host && (
        <>
          <Fact name="Host">
            <span className="mono">{host.hostname}</span>
          </Fact>
          <Fact name="System">
            {host.os}, {host.architecture}
          </Fact>
        </>
      )}
      <Fact name="Created">
        <RelativeTime at={server.createdAt} />
      </Fact>
    </Facts>
  );
}
