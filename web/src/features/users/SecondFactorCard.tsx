import { Button, List, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { userSecondFactorQuery, useResetSecondFactor } from '@/api/access';
import type { User, UserSecondFactor } from '@/api/types';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { Fact, Facts } from '@/components/Facts';
import { Section } from '@/components/Section';
import { ErrorState, LoadingLines } from '@/components/States';
import { StatusDot } from '@/components/StatusDot';
import { useMe } from '@/features/shell/useMe';
import { notifyDone } from '@/lib/notify';

export function SecondFactorCard({ user }: { user: User }) {
  const me = useMe();
  const factor = useQuery(userSecondFactorQuery(user.id));
  const reset = useResetSecondFactor(user.id);
  const [asking, setAsking] = useState(false);
  const close = (): void => {
    reset.reset();
    setAsking(false);
  };
  return (
    <Section title="Second factor" hint="What this user proves besides the password.">
      {factor.data === undefined ? (
        factor.isError ? (
          <ErrorState what="The second factor" error={factor.error} onRetry={() => void factor.refetch()} retrying={factor.isFetching} />
        ) : (
          <LoadingLines lines={2} />
        )
      ) : (
        <Stack gap="md">
          <State factor={factor.data} />
          {factor.data.enrolled && user.id !== me.id && (
            <div>
              <Button
                variant="default"
                onClick={() => {
                  setAsking(true);
                }}
              >
                Reset second factor
              </Button>
            </div>
          )}
          {user.id === me.id && (
            <Text size="xs" c="dimmed">
              Change your own under Account, Security.
            </Text>
          )}
        </Stack>
      )}
      <ConfirmDialog
        opened={asking}
        onClose={close}
        title="Reset second factor"
        confirmLabel="Reset second factor"
        danger
        typed={{ value: user.username, what: 'username' }}
        pending={reset.isPending}
        error={reset.error}
        onConfirm={() => {
          reset.mutate(undefined, {
            onSuccess: () => {
              notifyDone(`The second factor of ${user.username} was reset.`);
              close();
            },
          });
        }}
      >
        <List size="sm" spacing={6}>
          <List.Item>
            <b>Make sure that it really is them</b>, through another channel than the one they asked on: this is what somebody with a stolen password would ask for.
          </List.Item>
          <List.Item>Their authenticator app, passkeys and recovery codes are removed, and they are signed out everywhere.</List.Item>
          <List.Item>
            Next time they sign in with their password alone.
            {factor.data?.required === true && ' They must then add a second factor before anything else.'}
          </List.Item>
        </List>
      </ConfirmDialog>
    </Section>
  );
}

function State({ factor }: { factor: UserSecondFactor }) {
  if (!factor.enrolled) {
    return (
      <Text size="sm" component="div">
        <StatusDot
          tone={factor.required ? 'warn' : 'idle'}
          label={factor.required ? 'None yet: asked for at the next sign-in' : 'None: the password alone signs in'}
        />
      </Text>
    );
  }
  return (
    <Facts>
      <Fact name="Authenticator app">{factor.totp ? <StatusDot tone="ok" label="On" /> : <StatusDot tone="idle" label="Not set up" />}</Fact>
      <Fact name="Passkeys">
        <span className="numeric">{factor.passkeys}</span>
      </Fact>
      <Fact name="Recovery codes">
        <span className="numeric">{factor.recoveryCodesLeft} left</span>
      </Fact>
    </Facts>
  );
}
