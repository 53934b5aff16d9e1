import { Stack } from '@mantine/core';
import { useState } from 'react';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { CopyButton } from '@/components/CopyButton';

export interface Uncopied {
  /** This password was made up just now, and nobody has it yet. */
  onGenerated: (password: string) => void;
  onCopied: () => void;
  /** Does it, unless the password would be lost with it: then it asks first. */
  guard: (password: string, act: () => void) => void;
  /** What was asked about, while it is asked. */
  asking: { password: string; act: () => void } | null;
  stop: () => void;
}

/** A generated password is shown only while it is in its form: who saves without having copied it has lost it. */
export function useUncopied(): Uncopied {
  const [generated, setGenerated] = useState<string | null>(null);
  const [asking, setAsking] = useState<Uncopied['asking']>(null);
  return {
    onGenerated: setGenerated,
    onCopied: () => {
      setGenerated(null);
    },
    guard: (password, act) => {
      if (password !== '' && password === generated) setAsking({ password, act });
      else act();
    },
    asking,
    stop: () => {
      setAsking(null);
    },
  };
}

export function UncopiedDialog({ uncopied, confirmLabel }: { uncopied: Uncopied; confirmLabel: string }) {
  const { asking, stop, onCopied } = uncopied;
  return (
    <ConfirmDialog
      opened={asking !== null}
      onClose={stop}
      title="You have not copied the password"
      confirmLabel={confirmLabel}
      cancelLabel="Go back"
      onConfirm={() => {
        stop();
        asking?.act();
      }}
    >
      <Stack gap="sm" align="flex-start">
        <span>It was generated here, and is never shown again once it is saved. Whoever is to sign in with it needs it.</span>
        <CopyButton value={asking?.password ?? ''} label="Copy the generated password" text="Copy password" onCopied={onCopied} />
      </Stack>
    </ConfirmDialog>
  );
}
