import { Anchor, Button, Stack, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState, type SubmitEvent } from 'react';
import { authOptionsQuery, beginSecondFactorPasskey, proveSecondFactor } from '@/api/access';
import { isCode, mapProblem } from '@/api/problem';
import type { Me, ProofMethod, SecondFactorRequest } from '@/api/types';
import { CodeInput } from '@/components/CodeInput';
import { Notice } from '@/components/Notice';
import { TooManyTries } from '@/components/TooManyTries';
import { passkeyMessage, passkeysUsable, signWithPasskey } from '@/lib/passkeys';
import { codeProblem } from '@/lib/rules';
import { useThrottle } from '@/lib/throttle';

/** What is offered, best first; the password was the first factor. */
const SECOND = ['TOTP', 'PASSKEY', 'RECOVERY_CODE'] as const;
type SecondMethod = (typeof SECOND)[number];

const SAYS: Record<SecondMethod, string> = {
  TOTP: 'Open your authenticator app and enter the code that it shows for this dashboard.',
  PASSKEY: 'Use the passkey that you added to your account.',
  RECOVERY_CODE: 'Enter one of the recovery codes that you saved. Each works once.',
};

const INSTEAD: Record<SecondMethod, string> = {
  TOTP: 'Use an authenticator code',
  PASSKEY: 'Use a passkey',
  RECOVERY_CODE: 'Use a recovery code',
};

interface SecondFactorFormProps {
  methods: ProofMethod[];
  onSignedIn: (me: Me) => void;
  /** Back to the password, because it took too long or somebody wants to. */
  onStartAgain: (why: string | null) => void;
}

export function SecondFactorForm({ methods, onSignedIn, onStartAgain }: SecondFactorFormProps) {
  const options = useQuery(authOptionsQuery);
  const usable = SECOND.filter((method) => methods.includes(method) && (method !== 'PASSKEY' || passkeysUsable(options.data)));
  const [chosen, setChosen] = useState<SecondMethod | null>(null);
  const way = chosen ?? usable[0] ?? 'RECOVERY_CODE';
  const [code, setCode] = useState('');
  const [fieldError, setFieldError] = useState<string | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [pending, setPending] = useState(false);
  const throttle = useThrottle();

  const prove = async (make: () => Promise<SecondFactorRequest>): Promise<void> => {
    setPending(true);
    setFieldError(null);
    setFailure(null);
    try {
      onSignedIn(await proveSecondFactor(await make()));
    } catch (error) {
      if (isCode(error, 'login_expired')) onStartAgain(error.message);
      else if (!throttle.note(error)) {
        const { fields, general } = mapProblem(error, (path) => path === 'code');
        setFieldError(fields.code ?? null);
        setFailure(passkeyMessage(error) ?? general);
      }
      setPending(false);
    }
  };
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const problem = way === 'TOTP' ? codeProblem(code) : code.trim() === '' ? 'Enter the code.' : null;
    if (way === 'PASSKEY') void prove(async () => ({ method: 'PASSKEY', ...(await signWithPasskey(await beginSecondFactorPasskey())) }));
    else if (problem !== null) setFieldError(problem);
    else void prove(() => Promise.resolve({ method: way, code: code.trim() }));
  };
  const change = (next: SecondMethod): void => {
    setChosen(next);
    setCode('');
    setFieldError(null);
    setFailure(null);
  };
  const field = {
    value: code,
    error: fieldError,
    autoFocus: true,
    onChange: (event: { currentTarget: HTMLInputElement }) => {
      setCode(event.currentTarget.value);
      setFieldError(null);
    },
  };

  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="sm">
        <Text size="sm">{SAYS[way]}</Text>
        <TooManyTries left={throttle.left} />
        {failure !== null && <Notice tone="bad">{failure}</Notice>}
        {way === 'TOTP' && <CodeInput key={way} {...field} />}
        {way === 'RECOVERY_CODE' && (
          <TextInput key={way} label="Recovery code" autoComplete="off" autoCapitalize="none" spellCheck={false} classNames={{ input: 'mono' }} {...field} />
        )}
        <Button type="submit" size="sm" mt={6} loading={pending} disabled={throttle.left > 0} fullWidth>
          {way === 'PASSKEY' ? 'Use a passkey' : 'Sign in'}
        </Button>
        <Stack gap={6} mt={4} align="flex-start">
          {usable
            .filter((method) => method !== way)
            .map((method) => (
              <Anchor
                key={method}
                component="button"
                type="button"
                size="sm"
                onClick={() => {
                  change(method);
                }}
              >
                {INSTEAD[method]}
              </Anchor>
            ))}
          <Anchor
            component="button"
            type="button"
            size="sm"
            onClick={() => {
              onStartAgain(null);
            }}
          >
            Start again
          </Anchor>
        </Stack>
        {methods.includes('PASSKEY') && !usable.includes('PASSKEY') && options.data !== undefined && (
          <Text size="xs" c="dimmed">
            Your passkey cannot be used at this address or in this browser.
          </Text>
        )}
      </Stack>
    </form>
  );
}
