import { Button, Divider, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { authOptionsQuery, beginPasskeySignIn, finishPasskeySignIn } from '@/api/access';
import { ApiError, errorMessage } from '@/api/problem';
import { useLogin } from '@/api/session';
import type { Me, SecondFactorNeeded } from '@/api/types';
import { Notice } from '@/components/Notice';
import { SecretInput } from '@/components/SecretInput';
import { TooManyTries } from '@/components/TooManyTries';
import { focusFirstError } from '@/lib/formErrors';
import { passkeyMessage, passkeysUsable, signWithPasskey } from '@/lib/passkeys';
import { useThrottle } from '@/lib/throttle';

function loginMessage(error: unknown, slug: string | null): string {
  if (!(error instanceof ApiError)) return passkeyMessage(error) ?? errorMessage(error);
  if (error.code === 'invalid_credentials') return slug === null ? 'Wrong username or password.' : 'Wrong password.';
  if (error.status === 503) return 'Signing in is not possible right now: the dashboard is not available. Try again in a moment.';
  return error.message;
}

interface LoginFormProps {
  slug: string | null;
  onSignedIn: (me: Me) => void;
  onSecondFactor: (needed: SecondFactorNeeded) => void;
}

export function LoginForm({ slug, onSignedIn, onSecondFactor }: LoginFormProps) {
  const login = useLogin();
  const options = useQuery(authOptionsQuery);
  const throttle = useThrottle();
  const [failure, setFailure] = useState<string | null>(null);
  const [touching, setTouching] = useState(false);
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

  const refused = (error: unknown): void => {
    if (!throttle.note(error)) setFailure(loginMessage(error, slug));
  };
  const submit = form.onSubmit(({ username, password }) => {
    setFailure(null);
    const body = slug === null ? { username: username.trim().toLowerCase(), password } : { slug, password };
    login.mutate(body, {
      onSuccess: (answer) => {
        if ('methods' in answer) onSecondFactor(answer);
        else onSignedIn(answer);
      },
      onError: refused,
    });
  }, focusFirstError);

  const withPasskey = async (): Promise<void> => {
    setFailure(null);
    setTouching(true);
    try {
      const signed = await signWithPasskey(await beginPasskeySignIn());
      onSignedIn(await finishPasskeySignIn(slug === null ? signed : { ...signed, slug }));
    } catch (error) {
      refused(error);
    } finally {
      setTouching(false);
    }
  };

  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="sm">
        <TooManyTries left={throttle.left} />
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
        <Button type="submit" size="sm" mt={6} loading={login.isPending} disabled={throttle.left > 0} fullWidth>
          Sign in
        </Button>
        {options.data?.passkeys === true && passkeysUsable(options.data) && (
          <>
            <Divider label="or" />
            <Button variant="default" size="sm" loading={touching} onClick={withPasskey} fullWidth>
              Sign in with a passkey
            </Button>
          </>
        )}
      </Stack>
    </form>
  );
}
