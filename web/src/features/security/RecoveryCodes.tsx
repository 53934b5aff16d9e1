import { Button, Checkbox, Group, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { CopyButton } from '@/components/CopyButton';
import { Icon } from '@/components/Icon';
import classes from './security.module.css';

interface RecoveryCodesProps {
  codes: readonly string[];
  doneLabel?: string;
  onDone: () => void;
}

function download(text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = 'proxima-recovery-codes.txt';
  link.click();
  URL.revokeObjectURL(url);
}

/** Shown in the answer that made them and never again, so nobody leaves without saying that they are kept. */
export function RecoveryCodes({ codes, doneLabel = 'Done', onDone }: RecoveryCodesProps) {
  const [saved, setSaved] = useState(false);
  const text = `Recovery codes for ${window.location.host}\nEach works once.\n\n${codes.join('\n')}\n`;
  return (
    <Stack gap="md">
      <Text size="sm">
        If you lose your phone or your passkey, one of these codes lets you in. Each works once. <b>They are shown only now:</b>{' '}
        keep them in your password manager, or on paper.
      </Text>
      <ol className={classes.codes} aria-label="Recovery codes">
        {codes.map((code) => (
          <li key={code} className="mono">
            {code}
          </li>
        ))}
      </ol>
      <Group gap="xs">
        <CopyButton value={text} label="Copy recovery codes" text="Copy" />
        <Button
          variant="default"
          leftSection={<Icon name="download" size={15} />}
          onClick={() => {
            download(text);
          }}
        >
          Download
        </Button>
      </Group>
      <Checkbox
        label="I have saved them"
        checked={saved}
        onChange={(event) => {
          setSaved(event.currentTarget.checked);
        }}
      />
      <Group justify="flex-end">
        <Button disabled={!saved} onClick={onDone}>
          {doneLabel}
        </Button>
      </Group>
    </Stack>
  );
}
