import { Button, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useEffect, useRef, useState } from 'react';
import { ApiError, errorMessage } from '@/api/problem';
import { useLogin } from '@/api/session';
import type { Me } from '@/api/types';
import { Notice } from '@/components/Notice';
import { SecretInput } from '@/components/SecretInput';
import { focusFirstError } from '@/lib/formErrors';

function loginMessage(error: unknown, slug: string | null): string {
  if (!(error instanceof ApiError)) return errorMessage(error);
  if (error.code === 'invalid_credentials') return slug === null ? 'Wrong username or password.' : 'Wrong password.';
  if (error.status === 503) return 'Signing in is not possible right now: the dashboard is not available. Try again in a moment.';
  return error.message;
}

export function LoginForm({ slug, onSignedIn }: { slug: string | null; onSignedIn: (me: Me) => void }) {
  const login = useLogin();
  const [failure, setFailure] = useState<string | null>(null);
  const first = useRef<HTMLInputElement>(null);
  const form = useForm({
    initialValues: { username: '', password: '' },
    validate: {
      username: (value) => (slug === null && value.trim() === '' ? 'Enter your username.' : null),
      password: (value) => (value === '' ? 'Enter your password.' : null),
    },
  });

  useEffect(() => {
    first.current?.focus();
  }, []);

  const submit = form.onSubmit(({ username, password }) => {
    setFailure(null);
    const body = slug === null ? { username: username.trim().toLowerCase(), password } : { slug, password };
    login.mutate(body, {
      onSuccess: onSignedIn,
      onError: (error) => {
        setFailure(loginMessage(error, slug));
      },
    });
  }, focusFirstError);

  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="sm">
        {failure !== null && <Notice tone="bad">{failure}</Notice>}
        {slug === null && (
          <TextInput
            label="Username"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            ref={first}
            {...form.getInputProps('username')}
          />
        )}
        <SecretInput
          label="Password"
          autoComplete="current-password"
          ref={slug === null ? undefined : first}
          {...form.getInputProps('password')}
        />
        <Button type="submit" size="sm" mt={6} loading={login.isPending} fullWidth>
          Sign in
        </Button>
      </Stack>
    </form>
  );
}
