import { Button, List } from '@mantine/core';
import { useState } from 'react';
import { useSignOutUser } from '@/api/access';
import type { User } from '@/api/types';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { Section } from '@/components/Section';
import { useMe } from '@/features/shell/useMe';
import { notifyDone } from '@/lib/notify';

/** For another person: one's own sessions are on one's own page. */
export function SignOutCard({ user }: { user: User }) {
  const me = useMe();
  const signOut = useSignOutUser(user.id);
  const [asking, setAsking] = useState(false);
  const close = (): void => {
    signOut.reset();
    setAsking(false);
  };
  if (user.id === me.id) return null;
  return (
    <Section title="Sessions" hint="Ends this user’s sessions in every browser.">
      <Button
        variant="default"
        onClick={() => {
          setAsking(true);
        }}
      >
        Sign out everywhere
      </Button>
      <ConfirmDialog
        opened={asking}
        onClose={close}
        title="Sign out everywhere"
        confirmLabel="Sign out everywhere"
        pending={signOut.isPending}
        error={signOut.error}
        onConfirm={() => {
          signOut.mutate(undefined, {
            onSuccess: ({ ended }) => {
              notifyDone(endedWords(user.username, ended));
              close();
            },
          });
        }}
      >
        <List size="sm" spacing={6}>
          <List.Item>
            Every browser that is signed in as <b>{user.username}</b> is signed out at once.
          </List.Item>
          <List.Item>The password still signs in. If somebody else may know it, set another one under Account.</List.Item>
        </List>
      </ConfirmDialog>
    </Section>
  );
}

function endedWords(username: string, ended: number): string {
  if (ended === 0) return `${username} was not signed in anywhere.`;
  return `${username} was signed out everywhere: ${ended} ${ended === 1 ? 'session' : 'sessions'} ended.`;
}
