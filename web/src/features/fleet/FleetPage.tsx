import { Button, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { fleetQuery } from '@/api/admin';
import { endpointsQuery } from '@/api/notifications';
import { Icon } from '@/components/Icon';
import { PageHeader } from '@/components/PageHeader';
import { EmptyState, ErrorState, OutOfDate } from '@/components/States';
import { Section } from '@/components/Section';
import { failing } from '@/features/notifications/words';
import { AttentionTable } from './AttentionTable';
import { FleetTiles } from './FleetTiles';

function AddUserButton() {
  return (
    <Button component={Link} to="/admin/users/new" leftSection={<Icon name="plus" size={14} />}>
      Add User
    </Button>
  );
}

export function FleetPage() {
  const fleet = useQuery(fleetQuery);
  const endpoints = useQuery(endpointsQuery);
  const silent = endpoints.data?.items.filter(failing) ?? [];
  const empty = fleet.data?.counts.total === 0;
  // That nothing needs attention is said when all is known.
  const known = fleet.data !== undefined && !endpoints.isPending;
  return (
    <>
      <PageHeader title="Fleet" purpose="Every customer's gateway at a glance." action={<AddUserButton />} />
      <Stack gap="md">
        <OutOfDate query={fleet} />
        {fleet.isError && fleet.data === undefined && (
          <ErrorState what="The fleet" error={fleet.error} onRetry={() => void fleet.refetch()} retrying={fleet.isFetching} />
        )}
        {empty && silent.length > 0 && <AttentionTable items={[]} endpoints={silent} />}
        {empty ? (
          <Section title="Servers" flush>
            <EmptyState
              title="No servers yet"
              action={
                <Button component={Link} to="/admin/users/new">
                  Add your first customer
                </Button>
              }
            >
              Creating a customer creates their server and its license key as well. The customer signs in and sees the
              server as “Not installed”.
            </EmptyState>
          </Section>
        ) : (
          (fleet.data !== undefined || !fleet.isError) && (
            <>
              <FleetTiles counts={fleet.data?.counts} />
              <AttentionTable items={known ? fleet.data.attention : undefined} endpoints={silent} />
            </>
          )
        )}
      </Stack>
    </>
  );
}
