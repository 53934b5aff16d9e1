import { Stack, Text } from '@mantine/core';
import { useState } from 'react';
import type { Connection } from '@/api/types';
import { Notice } from '@/components/Notice';
import { AccessFacts } from './AccessFacts';
import { ConnectForm } from './ConnectForm';
import { ChangedHostKey, ConfirmHostKey } from './HostKeyPanel';
import { ReadyActions } from './ReadyActions';
import { isLoginRefused, stageOf } from './stage';
import { BoxNotice, TestResult } from './TestResult';
import { useConnect, type Connecting } from './useConnect';

const DOING = {
  SAVING: 'Saving…',
  LOOKING: 'Asking the server for its host key. Nothing secret is sent…',
  CONFIRMING: 'Confirming the host key…',
  LOGGING_IN: 'Logging in and looking at the server…',
};

interface ConnectStepsProps {
  server: { id: string; name: string };
  connection: Connection;
  /** Whether a gateway runs there already, so that there is nothing to install. */
  installed: boolean;
}

/** The form, the host key and the test, as far as the server says that things are. */
export function ConnectSteps({ server, connection, installed }: ConnectStepsProps) {
  const connecting = useConnect(server.id, connection);
  const stage = stageOf(connection);
  const [changing, setChanging] = useState(false);
  const loginFailed = connecting.result !== null && isLoginRefused(connecting.result);
  // What was typed stays in sight until the box has accepted it.
  const form = stage !== 'READY' || changing || loginFailed;
  const busy = connecting.doing !== null;
  const panel = {
    connection,
    pending: connecting.doing === 'CONFIRMING' || connecting.doing === 'LOGGING_IN' || connecting.doing === 'SAVING',
    looking: connecting.doing === 'LOOKING',
    onTrust: connecting.trust,
    onLookAgain: connecting.lookAgain,
  };

  return (
    <Stack gap="md">
      {connecting.failure !== null && (
        <Notice tone="bad" title="That did not work">
          {connecting.failure}
        </Notice>
      )}
      {form ? (
        <ConnectForm
          form={connecting.form}
          connection={connection}
          pending={busy}
          onTest={async (values) => {
            await connecting.test(values);
            setChanging(false);
          }}
          onDiscard={
            stage === 'READY' && changing
              ? () => {
                  connecting.startAgain();
                  setChanging(false);
                }
              : undefined
          }
        />
      ) : (
        <AccessFacts connection={connection} />
      )}
      <Outcome connecting={connecting} changed={stage === 'CHANGED'} />
      {stage === 'CONFIRM' && <ConfirmHostKey {...panel} />}
      {stage === 'CHANGED' && <ChangedHostKey {...panel} />}
      {stage === 'LOGIN' && !busy && connecting.problem === null && connecting.result === null && (
        <Text size="sm" c="dimmed" role="status">
          The host key is confirmed. Enter the login and test the connection to continue.
        </Text>
      )}
      {!form && (
        <ReadyActions
          server={server}
          connecting={connecting}
          installed={installed}
          onChange={() => {
            setChanging(true);
          }}
        />
      )}
    </Stack>
  );
}

function Outcome({ connecting, changed }: { connecting: Connecting; changed: boolean }) {
  const { doing, problem, result } = connecting;
  if (doing !== null) {
    return (
      <Text size="sm" c="dimmed" role="status">
        {DOING[doing]}
      </Text>
    );
  }
  if (problem !== null) return <BoxNotice tone="bad" problem={problem} />;
  // What a changed host key means has a panel of its own.
  return result === null || changed ? null : <TestResult result={result} />;
}
