import { Button, Group } from '@mantine/core';
import { RunJob } from '@/features/jobs/RunJob';
import type { Connecting } from './useConnect';

interface ReadyActionsProps {
  server: { id: string; name: string };
  connecting: Connecting;
  installed: boolean;
  onChange: () => void;
}

/** What can be done once the dashboard can log in. */
export function ReadyActions({ server, connecting, installed, onChange }: ReadyActionsProps) {
  const { doing, result, form } = connecting;
  const tested = result?.problem === null;
  return (
    <Group gap="xs" justify="space-between">
      <Button variant="default" onClick={onChange} disabled={doing !== null}>
        Change login
      </Button>
      <Group gap="xs">
        <Button
          variant={tested || installed ? 'default' : 'filled'}
          loading={doing !== null}
          onClick={() => connecting.test(form.getValues())}
        >
          {result === null ? 'Test connection' : 'Test again'}
        </Button>
        {!installed && (
          <RunJob server={server} kind="INSTALL" variant={tested ? 'filled' : 'default'} disabled={doing !== null}>
            Install
          </RunJob>
        )}
      </Group>
    </Group>
  );
}
