import { Button, Group, Stack } from '@mantine/core';
import type { ReactNode } from 'react';
import { CopyButton } from '@/components/CopyButton';
import classes from './notifications.module.css';

interface SecretShownProps {
  secret: string;
  children: ReactNode;
  doneLabel: string;
  onDone: () => void;
}

/** A secret in plain text, for as long as it is looked at. */
export function SecretShown({ secret, children, doneLabel, onDone }: SecretShownProps) {
  return (
    <Stack gap="md">
      <div style={{ fontSize: 'var(--mantine-font-size-sm)' }}>{children}</div>
      <div className={classes.secret}>
        <code className="mono">{secret}</code>
        <CopyButton value={secret} label="Copy signing secret" text="Copy" />
      </div>
      <Group justify="flex-end">
        <Button onClick={onDone}>{doneLabel}</Button>
      </Group>
    </Stack>
  );
}
