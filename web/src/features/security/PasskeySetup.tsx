import { Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { useState, type SubmitEvent } from 'react';
import { beginPasskey, useAddPasskey } from '@/api/access';
import { mapProblem } from '@/api/problem';
import { Notice } from '@/components/Notice';
import { deviceName } from '@/features/account/userAgent';
import { createPasskey, passkeyMessage } from '@/lib/passkeys';

interface PasskeySetupProps {
  /** Recovery codes come with the first factor. */
  onDone: (codes: string[] | null) => void;
  onCancel: () => void;
  cancelLabel?: string;
}

export function PasskeySetup({ onDone, onCancel, cancelLabel = 'Cancel' }: PasskeySetupProps) {
  const add = useAddPasskey();
  const [name, setName] = useState(() => deviceName(navigator.userAgent));
  const [fieldError, setFieldError] = useState<string | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [pending, setPending] = useState(false);

  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (name.trim() === '') {
      setFieldError('Enter a name for it.');
      return;
    }
    setPending(true);
    setFieldError(null);
    setFailure(null);
    try {
      const created = await createPasskey(await beginPasskey());
      onDone((await add.mutateAsync({ ...created, name: name.trim() })).recoveryCodes);
    } catch (error) {
      const { fields, general } = mapProblem(error, (path) => path === 'name');
      setFieldError(fields.name ?? null);
      setFailure(passkeyMessage(error) ?? general);
      setPending(false);
    }
  };

  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <Text size="sm">
          Your browser asks how to unlock it: fingerprint, face, PIN or a security key. A passkey signs you in without a
          password, and cannot be given away to a fake page.
        </Text>
        {failure !== null && <Notice tone="bad">{failure}</Notice>}
        <TextInput
          label="Name"
          description="So that you know it again, for example “Work laptop”."
          maxLength={64}
          autoComplete="off"
          value={name}
          error={fieldError}
          data-autofocus
          onChange={(event) => {
            setName(event.currentTarget.value);
            setFieldError(null);
          }}
        />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onCancel}>
            {cancelLabel}
          </Button>
          <Button type="submit" loading={pending}>
            Create passkey
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
