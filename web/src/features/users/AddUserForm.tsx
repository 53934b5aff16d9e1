import { Button, Group, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { CreateUserRequest, Role } from '@/api/types';
import { Notice } from '@/components/Notice';
import { applyProblem, focusFirstError, keepShownError } from '@/lib/formErrors';
import { displayNameProblem, orNull, passwordProblem, serverNameProblem, slugProblem, usernameProblem } from '@/lib/rules';
import { DisplayNameField, PasswordField, RoleField, ServerNameField, SlugField, TemporaryPasswordField, UsernameField, type UserFormValues } from './fields';
import { UncopiedDialog, useUncopied } from './uncopied';

interface AddUserFormProps {
  onSubmit: (body: CreateUserRequest) => Promise<void>;
  pending: boolean;
}

export function AddUserForm({ onSubmit, pending }: AddUserFormProps) {
  const [failure, setFailure] = useState<string | null>(null);
  const form = useForm({
    initialValues: {
      username: '', password: '', temporaryPassword: true, displayName: '', loginSlug: '', role: 'CUSTOMER' as Role, serverName: '',
    },
    validateInputOnBlur: true,
    enhanceGetInputProps: keepShownError,
    validate: {
      username: usernameProblem,
      password: passwordProblem,
      displayName: displayNameProblem,
      loginSlug: slugProblem,
      serverName: (value, values) => (values.role === 'CUSTOMER' ? serverNameProblem(value, false) : null),
    },
  });
  const { role } = form.values;
  const uncopied = useUncopied();

  const create = async (values: UserFormValues): Promise<void> => {
    setFailure(null);
    try {
      await onSubmit({
        username: values.username,
        password: values.password,
        temporaryPassword: values.temporaryPassword,
        displayName: orNull(values.displayName),
        loginSlug: orNull(values.loginSlug),
        role: values.role,
        serverName: values.role === 'CUSTOMER' ? orNull(values.serverName) : null,
      });
    } catch (error) {
      setFailure(applyProblem(form, error, (path) => path !== 'serverName' || values.role === 'CUSTOMER'));
    }
  };
  const submit = form.onSubmit((values) => {
    uncopied.guard(values.password, () => void create(values));
  }, focusFirstError);

  return (
    <>
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          {failure !== null && (
            <Notice tone="bad" title="The user was not created">
              {failure}
            </Notice>
          )}
          <UsernameField form={form} required />
          <PasswordField form={form} required help="8 characters to 72 bytes. The customer can change it later." uncopied={uncopied} />
          <TemporaryPasswordField form={form} />
          <DisplayNameField form={form} />
          <SlugField form={form} />
          <RoleField form={form} />
          {role === 'CUSTOMER' && <ServerNameField form={form} username={form.values.username} />}
          <Group justify="flex-end" gap="xs">
            <Button component={Link} to="/admin/users" variant="default">
              Cancel
            </Button>
            <Button type="submit" loading={pending}>
              Create User
            </Button>
          </Group>
        </Stack>
      </form>
      <UncopiedDialog uncopied={uncopied} confirmLabel="Create user" />
    </>
  );
}
