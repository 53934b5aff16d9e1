import { Anchor, Button, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useRouteContext, useRouter, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { authOptionsQuery, useRefreshMe } from '@/api/access';
import { ErrorState } from '@/components/States';
import login from '@/features/auth/LoginPage.module.css';
import { PasskeySetup } from '@/features/security/PasskeySetup';
import { RecoveryCodes } from '@/features/security/RecoveryCodes';
import { TotpSetup } from '@/features/security/TotpSetup';
import { Brand } from '@/features/shell/Brand';
import { useSignOut } from '@/features/shell/useSignOut';
import { passkeysUsable } from '@/lib/passkeys';
import { landingPath } from '@/lib/redirect';
import classes from './enroll.module.css';

type Step = 'choose' | 'totp' | 'passkey' | { codes: string[] };

const TITLES = {
  choose: 'Add a second factor',
  totp: 'Set up an authenticator app',
  passkey: 'Add a passkey',
  codes: 'Save your recovery codes',
};

/** Everything else is closed until somebody whose role needs a second factor has one. */
export function EnrollPage() {
  const { me } = useRouteContext({ from: '/enroll' });
  const { redirect } = useSearch({ from: '/enroll' });
  const router = useRouter();
  const signOut = useSignOut();
  const refreshMe = useRefreshMe();
  const options = useQuery(authOptionsQuery);
  const [step, setStep] = useState<Step>('choose');
  const [failure, setFailure] = useState<unknown>(null);

  const enter = async (): Promise<void> => {
    setFailure(null);
    try {
      await refreshMe();
      router.history.replace(landingPath(me.role, redirect));
    } catch (error) {
      setFailure(error);
    }
  };
  const done = (codes: string[] | null): void => {
    if (codes === null) void enter();
    else setStep({ codes });
  };
  const back = (): void => {
    setStep('choose');
  };
  const title = TITLES[typeof step === 'object' ? 'codes' : step];

  return (
    <main className={login.page}>
      <title>{`${title} · Proxima Gateway`}</title>
      <div className={classes.box}>
        <div className={login.brand}>
          <Brand />
        </div>
        <div className={login.card}>
          <Stack gap="md">
            <Title order={1}>{title}</Title>
            {failure !== null && <ErrorState what="The dashboard" error={failure} onRetry={() => void enter()} />}
            {step === 'choose' && (
              <Choose
                username={me.username}
                admin={me.role === 'ADMIN'}
                passkeys={options.data?.passkeys === true && passkeysUsable(options.data)}
                onChoose={setStep}
              />
            )}
            {step === 'totp' && <TotpSetup onDone={done} onCancel={back} cancelLabel="Back" />}
            {step === 'passkey' && <PasskeySetup onDone={done} onCancel={back} cancelLabel="Back" />}
            {typeof step === 'object' && <RecoveryCodes codes={step.codes} doneLabel="Continue" onDone={() => void enter()} />}
          </Stack>
        </div>
        {typeof step !== 'object' && (
          <Text size="sm" ta="center" mt="md">
            <Anchor component="button" type="button" size="sm" onClick={signOut.run}>
              Sign out
            </Anchor>
          </Text>
        )}
      </div>
    </main>
  );
}

interface ChooseProps {
  username: string;
  admin: boolean;
  passkeys: boolean;
  onChoose: (step: 'totp' | 'passkey') => void;
}

function Choose({ username, admin, passkeys, onChoose }: ChooseProps) {
  return (
    <Stack gap="md">
      <Text size="sm">
        You are signed in as <b>{username}</b>.{' '}
        {admin
          ? 'Admins of this dashboard can reach every customer’s server, so a password alone is not enough'
          : 'This dashboard can reach your server, and its operator asks for more than a password'}
        : add one of these to continue. You can add others later.
      </Text>
      <div className={classes.choice}>
        <div>
          <b>Authenticator app</b>
          <Text size="sm" c="dimmed">
            A six-digit code from your phone, after your password.
          </Text>
        </div>
        <Button
          variant={passkeys ? 'default' : 'filled'}
          onClick={() => {
            onChoose('totp');
          }}
        >
          Set up
        </Button>
      </div>
      <div className={classes.choice}>
        <div>
          <b>Passkey</b>
          <Text size="sm" c="dimmed">
            {passkeys
              ? 'Fingerprint, face, PIN or a security key. Signs you in without a password, too.'
              : 'Not possible at this address or in this browser.'}
          </Text>
        </div>
        {passkeys && (
          <Button
            onClick={() => {
              onChoose('passkey');
            }}
          >
            Add passkey
          </Button>
        )}
      </div>
    </Stack>
  );
}
