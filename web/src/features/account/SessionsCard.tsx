import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { sessionsQuery, useEndSessions } from '@/api/session';
import type { Session, ProofMethod } from '@/api/types';
import { DataTable, type Column } from '@/components/DataTable';
import { RelativeTime } from '@/components/RelativeTime';
import { Section } from '@/components/Section';
import { ErrorState } from '@/components/States';
import { notifyDone, notifyFailed } from '@/lib/notify';
import { deviceName } from './userAgent';

export function SessionsCard() {
  const sessions = useQuery(sessionsQuery);
  const end = useEndSessions();
  const items = sessions.data?.items;
  const others = items?.filter((session) => !session.current) ?? [];

  const signOut = (which: { sessionId: string } | 'others'): void => {
    end.mutate(which, {
      onSuccess: () => {
        notifyDone(which === 'others' ? 'The other devices were signed out.' : 'That device was signed out.');
      },
      onError: (error) => {
        notifyFailed('Not every device was signed out', error);
      },
    });
  };

  return (
    <Section
      title="Sessions"
      hint="Every browser that is signed in to your account."
      flush
      aside={
        others.length > 0 && (
          <Button
            variant="default"
            loading={end.isPending}
            onClick={() => {
              signOut('others');
            }}
          >
            Sign out all others
          </Button>
        )
      }
    >
      {sessions.isError && items === undefined ? (
        <div style={{ padding: 14 }}>
          <ErrorState what="Your sessions" error={sessions.error} onRetry={() => void sessions.refetch()} retrying={sessions.isFetching} />
        </div>
      ) : (
        <DataTable label="Sessions" columns={columns(signOut)} rows={items} rowKey={(session) => session.id} empty={null} />
      )}
    </Section>
  );
}

const WITH: Record<ProofMethod, string> = {
  PASSWORD: 'Password',
  TOTP: 'Password and code',
  PASSKEY: 'Passkey',
  RECOVERY_CODE: 'Recovery code',
};

function signedInWith(session: Session): string {
  return WITH[session.signedInWith];
}

function columns(signOut: (which: { sessionId: string }) => void): Column<Session>[] {
  return [
    {
      id: 'device',
      header: 'Device',
      cell: (session) => (
        <span title={session.userAgent ?? undefined}>
          {deviceName(session.userAgent)}
          {session.current && <b> · This device</b>}
        </span>
      ),
    },
    { id: 'with', header: 'Signed in with', cell: (session) => signedInWith(session) },
    { id: 'ip', header: 'IP', cell: (session) => (session.ip ? <span className="mono">{session.ip}</span> : '–') },
    { id: 'seen', header: 'Last seen', cell: (session) => <RelativeTime at={session.lastSeenAt} /> },
    { id: 'created', header: 'Signed in', cell: (session) => <RelativeTime at={session.createdAt} /> },
    { id: 'expires', header: 'Expires', cell: (session) => <RelativeTime at={session.expiresAt} /> },
    {
      id: 'end',
      header: 'End session',
      align: 'end',
      cell: (session) =>
        session.current ? null : (
          <Button
            variant="default"
            size="compact-xs"
            aria-label={`Sign out ${deviceName(session.userAgent)}`}
            onClick={() => {
              signOut({ sessionId: session.id });
            }}
          >
            Sign out
          </Button>
        ),
    },
  ];
}
