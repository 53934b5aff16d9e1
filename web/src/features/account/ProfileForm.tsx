import { Button, Group, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { useUpdateMe } from '@/api/session';
import type { Me } from '@/api/types';
import { Notice } from '@/components/Notice';
import { applyProblem, keepShownError } from '@/lib/formErrors';
import { notifyDone } from '@/lib/notify';
import { displayNameProblem, orNull } from '@/lib/rules';

export function ProfileForm({ me }: { me: Me }) {
  const update = useUpdateMe();
  const [failure, setFailure] = useState<string | null>(null);
  const form = useForm({
    initialValues: { displayName: me.displayName ?? '' },
    validateInputOnBlur: true,
    enhanceGetInputProps: keepShownError,
    validate: { displayName: displayNameProblem },
  });
  const changed = orNull(form.values.displayName) !== (me.displayName ?? null);

  return (
    <form
      noValidate
      onSubmit={form.onSubmit(async ({ displayName }) => {
        setFailure(null);
        try {
          const saved = await update.mutateAsync(orNull(displayName));
          form.setValues({ displayName: saved.displayName ?? '' });
          notifyDone('Your profile was saved.');
        } catch (error) {
          setFailure(applyProblem(form, error));
        }
      })}
    >
      <Stack gap="md">
        {failure !== null && <Notice tone="bad">{failure}</Notice>}
        <TextInput label="Display name" description="Shown in the sidebar. Empty shows your username." autoComplete="name" {...form.getInputProps('displayName')} />
        <TextInput
          label="Username"
          description={me.role === 'ADMIN' ? 'Another admin can change it on the Users page.' : 'Only your provider can change it.'}
          value={me.username}
          readOnly
          variant="filled"
        />
        <Group justify="flex-end">
          <Button type="submit" disabled={!changed} loading={update.isPending}>
            Save profile
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
