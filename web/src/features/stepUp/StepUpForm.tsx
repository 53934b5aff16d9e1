import { Button, Group, Stack, Text } from '@mantine/core';
import { useState, type SubmitEvent } from 'react';
import { beginStepUpPasskey, stepUp } from '@/api/access';
import { ApiError, mapProblem } from '@/api/problem';
import type { StepUpRequest } from '@/api/types';
import { CodeInput } from '@/components/CodeInput';
import { Notice } from '@/components/Notice';
import { SecretInput } from '@/components/SecretInput';
import { TooManyTries } from '@/components/TooManyTries';
import { passkeyMessage, signWithPasskey } from '@/lib/passkeys';
import { codeProblem } from '@/lib/rules';
import { useThrottle } from '@/lib/throttle';

interface StepUpFormProps {
  methods: readonly string[];
  /** For password managers. */
  username: string;
  onProven: () => void;
  onCancel: () => void;
}

export function StepUpForm({ methods, username, onProven, onCancel }: StepUpFormProps) {
  const byCode = methods.includes('TOTP');
  const [way, setWay] = useState<'PASSWORD' | 'TOTP'>('PASSWORD');
  const [typed, setTyped] = useState('');
  const [fieldError, setFieldError] = useState<string | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [pending, setPending] = useState<'form' | 'passkey' | null>(null);
  const throttle = useThrottle();

  const prove = async (what: 'form' | 'passkey', make: () => Promise<StepUpRequest>): Promise<void> => {
    setPending(what);
    setFieldError(null);
    setFailure(null);
    try {
      await stepUp(await make());
      onProven();
    } catch (error) {
      // Nobody is signed in any more: the login page takes over.
      if (error instanceof ApiError && error.status === 401) onCancel();
      else if (!throttle.note(error)) {
        const { fields, general } = mapProblem(error, (path) => path === 'password' || path === 'code');
        setFieldError(fields.password ?? fields.code ?? null);
        setFailure(passkeyMessage(error) ?? general);
      }
    } finally {
      setPending(null);
    }
  };

  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const problem = way === 'TOTP' ? codeProblem(typed) : typed === '' ? 'Enter your password.' : null;
    if (problem !== null) setFieldError(problem);
    else void prove('form', () => Promise.resolve(way === 'PASSWORD' ? { method: way, password: typed } : { method: way, code: typed }));
  };
  const field = {
    value: typed,
    error: fieldError,
    'data-autofocus': true,
    onChange: (event: { currentTarget: HTMLInputElement }) => {
      setTyped(event.currentTarget.value);
      setFieldError(null);
    },
  };

  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <Text size="sm">This needs fresh proof that it is you. It is then good for five minutes.</Text>
        <TooManyTries left={throttle.left} />
        {failure !== null && <Notice tone="bad">{failure}</Notice>}
        {/* Tells password managers whose password this is. */}
        <input type="text" name="username" autoComplete="username" value={username} readOnly hidden />
        {way === 'PASSWORD' ? <SecretInput label="Your password" autoComplete="current-password" {...field} /> : <CodeInput {...field} />}
        {(byCode || methods.includes('PASSKEY')) && (
          <Group gap="xs">
            {byCode && (
              <Button
                variant="subtle"
                px={6}
                onClick={() => {
                  setWay(way === 'PASSWORD' ? 'TOTP' : 'PASSWORD');
                  setTyped('');
                  setFieldError(null);
                }}
              >
                {way === 'PASSWORD' ? 'Use an authenticator code' : 'Use your password'}
              </Button>
            )}
            {methods.includes('PASSKEY') && (
              <Button
                variant="subtle"
                px={6}
                loading={pending === 'passkey'}
                onClick={() =>
                  void prove('passkey', async () => ({ method: 'PASSKEY', ...(await signWithPasskey(await beginStepUpPasskey())) }))
                }
              >
                Use a passkey
              </Button>
            )}
          </Group>
        )}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onCancel}>
            Cancel
          </Button>
          <Button type="submit" loading={pending === 'form'} disabled={throttle.left > 0}>
            Confirm
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
