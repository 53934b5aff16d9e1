import { Anchor, Button, Stack, Text, Title } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useRouteContext, useRouter, useSearch } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { useRefreshMe } from '@/api/access';
import { useChangePassword } from '@/api/session';
import { Notice } from '@/components/Notice';
import { SecretInput } from '@/components/SecretInput';
import login from '@/features/auth/LoginPage.module.css';
import { Brand } from '@/features/shell/Brand';
import { useSignOut } from '@/features/shell/useSignOut';
import { applyProblem, focusFirstError, keepShownError } from '@/lib/formErrors';
import { landingPath } from '@/lib/redirect';
import { passwordHint, passwordProblem } from '@/lib/rules';

const TITLE = 'Choose your own password';

/** Everything else is closed until a password that somebody else chose is replaced. */
export function ChoosePasswordPage() {
  const { me } = useRouteContext({ from: '/choose-password' });
  const { redirect } = useSearch({ from: '/choose-password' });
  const router = useRouter();
  const signOut = useSignOut();
  const refreshMe = useRefreshMe();
  const change = useChangePassword();
  const [failure, setFailure] = useState<string | null>(null);
  // When only going on has failed: what was typed is no longer true.
  const [changed, setChanged] = useState(false);
  const first = useRef<HTMLInputElement>(null);
  const form = useForm({
    initialValues: { currentPassword: '', newPassword: '' },
    validateInputOnBlur: ['newPassword'],
    enhanceGetInputProps: keepShownError,
    validate: {
      currentPassword: (value) => (value === '' ? 'Enter the password you were given.' : null),
      newPassword: passwordProblem,
    },
  });

  useEffect(() => {
    first.current?.focus();
  }, []);

  const submit = form.onSubmit(async (values) => {
    setFailure(null);
    try {
      if (!changed) await change.mutateAsync(values);
      setChanged(true);
      await refreshMe();
      router.history.replace(landingPath(me.role, redirect));
    } catch (error) {
      setFailure(applyProblem(form, error));
    }
  }, focusFirstError);

  return (
    <main className={login.page}>
      <title>{`${TITLE} · Proxima Gateway`}</title>
      <div className={login.box}>
        <div className={login.brand}>
          <Brand />
        </div>
        <div className={login.card}>
          <form onSubmit={submit} noValidate>
            <Stack gap="md">
              <Title order={1}>{TITLE}</Title>
              <Text size="sm">
                You are signed in as <b>{me.username}</b>, with a password that somebody else has set and may still know. To continue, choose one that only you know.
              </Text>
              {failure !== null && <Notice tone="bad">{failure}</Notice>}
              {/* Tells password managers whose password this is. */}
              <input type="text" name="username" autoComplete="username" value={me.username} readOnly hidden />
              <SecretInput
                label="Password you were given"
                autoComplete="current-password"
                ref={first}
                {...form.getInputProps('currentPassword')}
              />
              <SecretInput
                label="New password"
                autoComplete="new-password"
                description={passwordHint(form.values.newPassword)}
                {...form.getInputProps('newPassword')}
              />
              <Button type="submit" size="sm" loading={change.isPending} fullWidth>
                Set password and continue
              </Button>
            </Stack>
          </form>
        </div>
        <Text size="sm" ta="center" mt="md">
          <Anchor component="button" type="button" size="sm" onClick={signOut.run}>
            Sign out
          </Anchor>
        </Text>
      </div>
    </main>
  );
}
