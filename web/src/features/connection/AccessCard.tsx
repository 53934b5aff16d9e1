import { Button, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import type { Connection, Server } from '@/api/types';
import { Section } from '@/components/Section';
import { AccessFacts } from './AccessFacts';
import { AllowlistNotice } from './AllowlistNotice';
import { ConnectSteps } from './ConnectSteps';
import { ForgetAccess } from './ForgetAccess';
import { InstallCommand } from './InstallCommand';
import classes from './connection.module.css';
import { stageOf } from './stage';

interface AccessCardProps {
  server: Server;
  connection: Connection;
  /** A job is under way: what it runs with is not changed under it. */
  busy: boolean;
}

/** How this dashboard gets in to a server that has a gateway already. */
export function AccessCard({ server, connection, busy }: AccessCardProps) {
  const [connecting, setConnecting] = useState(false);
  const stage = stageOf(connection);
  const known = connection.host !== null;
  return (
    <Section
      title="Server access"
      hint="How this dashboard logs in to the machine, to update, restart or remove the gateway."
      aside={known && <ForgetAccess server={server} connection={connection} disabled={busy} />}
    >
      {busy ? (
        <AccessFacts connection={connection} />
      ) : known && stage === 'LOGIN' && !connecting ? (
        <Stack gap="md" align="flex-start">
          <AccessFacts connection={connection} />
          <Button
            variant="default"
            onClick={() => {
              setConnecting(true);
            }}
          >
            Store a login
          </Button>
        </Stack>
      ) : known || connecting ? (
        <Stack gap="md">
          {!known && <AllowlistNotice />}
          <ConnectSteps server={server} connection={connection} installed />
        </Stack>
      ) : (
        <Stack gap="md" align="flex-start">
          <Text size="sm">
            This dashboard does not know how to log in to the machine. The gateway runs on and is configured as before, but it
            is not updated, restarted or removed from here.
          </Text>
          <Button
            variant="default"
            onClick={() => {
              setConnecting(true);
            }}
          >
            Connect the server
          </Button>
        </Stack>
      )}
      {!busy && (
        <div className={classes.below}>
          <InstallCommand serverId={server.id} installed />
        </div>
      )}
    </Section>
  );
}
