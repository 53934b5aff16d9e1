import { Stack, Text } from '@mantine/core';
import type { Connection, Server } from '@/api/types';
import { Section } from '@/components/Section';
import { AllowlistNotice } from './AllowlistNotice';
import { ConnectSteps } from './ConnectSteps';
import { InstallCommand } from './InstallCommand';

/** Where nothing is installed: from an SSH login to a running gateway. */
export function ConnectCard({ server, connection, admin }: { server: Server; connection: Connection; admin: boolean }) {
  return (
    <Section title={admin ? 'Connect the server' : 'Connect your server'}>
      <Stack gap="md">
        <Text size="sm">
          {admin ? (
            <>
              The gateway is <b>Not installed</b>. The customer can do this themselves: they see the same card on their own
              page. With their SSH login you can do it for them.
            </>
          ) : (
            <>
              Your license is ready, but the gateway is <b>Not installed</b>: until it runs on your machine, it protects
              nothing. Enter the SSH login of your machine, test it, and press Install. The login is stored encrypted, and
              a password is replaced by a key of its own after the first installation.
            </>
          )}
        </Text>
        <AllowlistNotice />
        <ConnectSteps server={server} connection={connection} installed={false} />
        <InstallCommand serverId={server.id} installed={false} />
      </Stack>
    </Section>
  );
}
