import { Anchor, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { serversQuery } from '@/api/servers';
import type { Server } from '@/api/types';
import { DataTable, type Column } from '@/components/DataTable';
import { AsHeard } from '@/components/HeardAt';
import { LicenseBadge } from '@/components/LicenseBadge';
import { PageHeader } from '@/components/PageHeader';
import { Section } from '@/components/Section';
import { EmptyState, ErrorState, LoadingLines, OutOfDate } from '@/components/States';
import { ServerStatusDot } from '@/components/StatusDot';
import { ServerView } from './ServerView';

const COLUMNS: Column<Server>[] = [
  {
    id: 'name',
    header: 'Server',
    cell: (server) => (
      <Anchor size="sm" renderRoot={(props) => <Link to="/app/servers/$serverId" params={{ serverId: server.id }} {...props} />}>
        {server.name}
      </Anchor>
    ),
  },
  { id: 'status', header: 'Status', cell: (server) => <ServerStatusDot status={server.status} /> },
  { id: 'license', header: 'License', cell: (server) => <LicenseBadge status={server.license.status} /> },
];

export function MyServerPage() {
  const servers = useQuery(serversQuery);
  const items = servers.data?.items;
  const only = items?.length === 1 ? items[0] : undefined;
  if (only !== undefined) {
    return (
      <AsHeard query={servers}>
        <ServerView server={only} notice={<OutOfDate query={servers} />} />
      </AsHeard>
    );
  }

  return (
    <>
      <PageHeader title="My server" purpose="Your gateway: its state, its license and what it serves." />
      {items === undefined ? (
        servers.isError ? (
          <ErrorState what="Your server" error={servers.error} onRetry={() => void servers.refetch()} retrying={servers.isFetching} />
        ) : (
          <Section title="Server">
            <LoadingLines lines={5} />
          </Section>
        )
      ) : (
        <AsHeard query={servers}>
          <Stack gap="md">
            <OutOfDate query={servers} />
            <Section title="Servers" flush>
              <DataTable
                label="Servers"
                columns={COLUMNS}
                rows={items}
                rowKey={(server) => server.id}
                empty={<EmptyState title="No server yet">Your provider has not set up a server for this account. Contact them.</EmptyState>}
              />
            </Section>
          </Stack>
        </AsHeard>
      )}
    </>
  );
}
