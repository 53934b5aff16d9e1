import { Box, Button, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { ApiError } from '@/api/problem';
import type { User } from '@/api/types';
import { userQuery } from '@/api/users';
import { AsHeard } from '@/components/HeardAt';
import { Icon } from '@/components/Icon';
import { Notice } from '@/components/Notice';
import { PageHeader } from '@/components/PageHeader';
import { Section } from '@/components/Section';
import { ErrorState, LoadingLines, OutOfDate } from '@/components/States';
import { ServerCare, ServerWork } from '@/features/connection/ServerWork';
import { JobHistory } from '@/features/jobs/JobHistory';
import { LicenseCard } from '@/features/license/LicenseCard';
import { ManageCard } from '@/features/server/ManageCard';
import { ServerCard } from '@/features/server/ServerCard';
import { NotFoundPage } from '@/features/shell/NotFoundPage';
import { useMe } from '@/features/shell/useMe';
import { useNow } from '@/lib/clock';
import { spokenUtc } from '@/lib/time';
import { BackToUsers } from './AddUserPage';
import { DeleteUserDialog } from './DeleteUserDialog';
import { EditUserForm } from './EditUserForm';
import { SecondFactorCard } from './SecondFactorCard';
import { SignOutCard } from './SignOutCard';
import classes from './users.module.css';

const route = getRouteApi('/shell/admin/users/$userId');

export function EditUserPage() {
  const { userId } = route.useParams();
  const user = useQuery(userQuery(userId));

  if (user.error instanceof ApiError && [400, 404, 422].includes(user.error.status)) return <NotFoundPage />;
  if (user.data !== undefined) {
    return (
      <Stack gap="md">
        <OutOfDate query={user} />
        <AsHeard query={user}>
          <EditUser key={userId} user={user.data} />
        </AsHeard>
      </Stack>
    );
  }
  return (
    <>
      <PageHeader title="Edit user" purpose="Account, server and license." back={<BackToUsers />} />
      {user.isError ? (
        <ErrorState what="The user" error={user.error} onRetry={() => void user.refetch()} retrying={user.isFetching} />
      ) : (
        <Section title="Account">
          <LoadingLines lines={6} />
        </Section>
      )}
    </>
  );
}

function EditUser({ user }: { user: User }) {
  const me = useMe();
  const navigate = useNavigate();
  const [deleting, setDeleting] = useState(false);
  const { server } = user;
  const account = (
    <Section title="Account">
      <TemporaryPassword until={user.passwordTemporaryUntil} />
      <EditUserForm user={user} own={user.id === me.id} />
    </Section>
  );

  return (
    <div>
      <PageHeader
        title={user.displayName ?? user.username}
        purpose={user.server ? 'The customer’s account, server and license.' : 'An admin of this dashboard.'}
        back={<BackToUsers />}
        action={
          user.id !== me.id && (
            <Button
              variant="default"
              leftSection={<Icon name="trash" size={14} />}
              onClick={() => {
                setDeleting(true);
              }}
            >
              Delete user
            </Button>
          )
        }
      />
      {server ? (
        <div className={classes.columns}>
          <div className={classes.column}>
            {account}
            <LicenseCard server={server} username={user.username} />
            <SecondFactorCard user={user} />
            <SignOutCard user={user} />
          </div>
          <div className={classes.column}>
            <ServerCard server={server} />
            <ServerWork server={server} admin />
            <ManageCard serverId={server.id} serverStatus={server.status} />
            <ServerCare server={server} />
          </div>
          <div className={classes.wide}>
            <JobHistory serverId={server.id} />
          </div>
        </div>
      ) : (
        <Stack className={classes.narrow}>
          {account}
          <SecondFactorCard user={user} />
          <SignOutCard user={user} />
        </Stack>
      )}
      <DeleteUserDialog
        user={deleting ? user : null}
        onClose={() => {
          setDeleting(false);
        }}
        onDeleted={() => void navigate({ to: '/admin/users' })}
      />
    </div>
  );
}

/** Says whether the user has still to choose their own password, and what helps when they were too late. */
function TemporaryPassword({ until }: { until: string | null }) {
  const now = useNow();
  if (until === null) return null;
  return (
    <Box mb="md">
      {Date.parse(until) > now ? (
        <Notice tone="info">A temporary password signs this user in until {spokenUtc(until)}. They have not chosen their own yet.</Notice>
      ) : (
        <Notice tone="warn">The temporary password has expired: this user cannot sign in with it any more. Set another one below.</Notice>
      )}
    </Box>
  );
}
