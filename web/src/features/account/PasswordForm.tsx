import { Button, Group, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { useChangePassword } from '@/api/session';
import { Notice } from '@/components/Notice';
import { SecretInput } from '@/components/SecretInput';
import { applyProblem, focusFirstError, keepShownError } from '@/lib/formErrors';
import { notifyDone } from '@/lib/notify';
import { passwordHint, passwordProblem } from '@/lib/rules';

const EMPTY = { currentPassword: '', newPassword: '' };

export function PasswordForm({ username }: { username: string }) {
  const change = useChangePassword();
  const [failure, setFailure] = useState<string | null>(null);
  const form = useForm({
    initialValues: EMPTY,
    validateInputOnBlur: ['newPassword'],
    enhanceGetInputProps: keepShownError,
    validate: {
      currentPassword: (value) => (value === '' ? 'Enter your current password.' : null),
      newPassword: passwordProblem,
    },
  });

  return (
    <form
      noValidate
      onSubmit={form.onSubmit(async (values) => {
        setFailure(null);
        try {
          await change.mutateAsync(values);
          form.setValues(EMPTY);
          form.clearErrors();
          notifyDone('Your password was changed. Other devices were signed out.');
        } catch (error) {
          setFailure(applyProblem(form, error));
        }
      }, focusFirstError)}
    >
      <Stack gap="md">
        {failure !== null && <Notice tone="bad">{failure}</Notice>}
        {/* Tells password managers whose password this is. */}
        <input type="text" name="username" autoComplete="username" value={username} readOnly hidden />
        <SecretInput label="Current password" autoComplete="current-password" {...form.getInputProps('currentPassword')} />
        <SecretInput
          label="New password"
          autoComplete="new-password"
          description={passwordHint(form.values.newPassword)}
          {...form.getInputProps('newPassword')}
        />
        <Group justify="flex-end">
          <Button type="submit" loading={change.isPending} disabled={form.values.newPassword === '' && form.values.currentPassword === ''}>
            Change password
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
