import { Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useParams, useRouter, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { loginPageQuery, useWelcome } from '@/api/session';
import type { Me, SecondFactorNeeded } from '@/api/types';
import { LoadingLines } from '@/components/States';
import { Notice } from '@/components/Notice';
import { Brand } from '@/features/shell/Brand';
import { landingPath } from '@/lib/redirect';
import { LoginForm } from './LoginForm';
import { SecondFactorForm } from './SecondFactorForm';
import classes from './LoginPage.module.css';

export function LoginPage() {
  const { slug } = useParams({ strict: false });
  const search = useSearch({ strict: false });
  const router = useRouter();
  const page = useQuery({ ...loginPageQuery(slug ?? ''), enabled: slug !== undefined });
  // Unknown slugs and failed look-ups show the common form: nothing can be learned from the difference.
  const greeting = slug === undefined ? null : (page.data?.displayName ?? null);

  const welcome = useWelcome();
  const [needed, setNeeded] = useState<SecondFactorNeeded | null>(null);
  const [again, setAgain] = useState<string | null>(null);

  const enter = (me: Me): void => {
    welcome(me);
    router.history.replace(landingPath(me.role, search.redirect));
  };

  return (
    <main className={classes.page}>
      <title>Sign in · Proxima Gateway</title>
      <div className={classes.box}>
        <div className={classes.brand}>
          <Brand />
        </div>
        <div className={classes.card}>
          {slug !== undefined && page.isPending ? (
            <LoadingLines />
          ) : (
            <Stack gap="md">
              <div>
                <Title order={1} style={{ overflowWrap: 'anywhere' }}>
                  {needed !== null ? 'Confirm that it is you' : greeting === null ? 'Sign in' : `Welcome, ${greeting}`}
                </Title>
                {needed === null && (
                  <Text size="sm" c="dimmed" mt={2}>
                    {greeting === null ? 'To your gateway dashboard.' : 'Enter your password to sign in.'}
                  </Text>
                )}
              </div>
              {needed !== null ? (
                <SecondFactorForm
                  methods={needed.methods}
                  onSignedIn={enter}
                  onStartAgain={(why) => {
                    setNeeded(null);
                    setAgain(why);
                  }}
                />
              ) : (
                <>
                  {again !== null && <Notice tone="warn">{again}</Notice>}
                  {search.ended === true && again === null && (
                    <Notice tone="info">Your session has ended. Sign in again to continue.</Notice>
                  )}
                  <LoginForm slug={greeting === null ? null : (slug ?? null)} onSignedIn={enter} onSecondFactor={setNeeded} />
                </>
              )}
            </Stack>
          )}
        </div>
      </div>
    </main>
  );
}
