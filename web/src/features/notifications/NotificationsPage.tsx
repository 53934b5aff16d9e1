import { Group, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { endpointsQuery, notificationSettingsQuery } from '@/api/notifications';
import type { Endpoint } from '@/api/types';
import { AnchorLink, ButtonLink } from '@/components/ButtonLink';
import { Clip } from '@/components/Clip';
import { DataTable, type Column } from '@/components/DataTable';
import { Icon } from '@/components/Icon';
import { PageHeader } from '@/components/PageHeader';
import { RelativeTime } from '@/components/RelativeTime';
import { Section } from '@/components/Section';
import { EmptyState, ErrorState, LoadingLines } from '@/components/States';
import { StatusDot } from '@/components/StatusDot';
import { SettingsTabs } from '@/features/settings/SettingsTabs';
import { MailServerForm } from './MailServerForm';
import { ThresholdsForm } from './ThresholdsForm';
import { destination, endpointState, KIND } from './words';

const COLUMNS: Column<Endpoint>[] = [
  {
    id: 'name',
    header: 'Name',
    cell: (endpoint) => (
      <AnchorLink to="/admin/settings/notifications/$endpointId" params={{ endpointId: endpoint.id }}>
        {endpoint.description}
      </AnchorLink>
    ),
  },
  { id: 'kind', header: 'Kind', cell: (endpoint) => KIND[endpoint.kind] },
  {
    id: 'to',
    header: 'Goes to',
    cell: (endpoint) => (
      <span className="mono">
        <Clip text={destination(endpoint)} />
      </span>
    ),
  },
  { id: 'events', header: 'Events', align: 'end', cell: (endpoint) => <span className="numeric">{endpoint.events.length}</span> },
  { id: 'state', header: 'State', cell: (endpoint) => <StatusDot {...endpointState(endpoint)} /> },
  { id: 'waiting', header: 'Waiting', align: 'end', cell: (endpoint) => <span className="numeric">{endpoint.waiting}</span> },
  { id: 'last', header: 'Last delivered', align: 'end', cell: (endpoint) => <RelativeTime at={endpoint.lastDeliveredAt} /> },
];

function AddButtons() {
  return (
    <Group gap="xs">
      <ButtonLink to="/admin/settings/notifications/new" search={{ kind: 'EMAIL' }} variant="default" leftSection={<Icon name="plus" size={14} />}>
        Add e-mail
      </ButtonLink>
      <ButtonLink to="/admin/settings/notifications/new" search={{ kind: 'WEBHOOK' }} leftSection={<Icon name="plus" size={14} />}>
        Add webhook
      </ButtonLink>
    </Group>
  );
}

export function NotificationsPage() {
  const endpoints = useQuery(endpointsQuery);
  const settings = useQuery(notificationSettingsQuery);
  const navigate = useNavigate();
  const rows = endpoints.data?.items;
  return (
    <>
      <PageHeader title="Notifications" purpose="Tell people and other programs when a license or a gateway needs attention." action={<AddButtons />} />
      <SettingsTabs />
      <Stack gap="md">
        <Section title="Endpoints" hint="Webhooks and e-mail recipients, and the events they receive." flush>
          {endpoints.isError && rows === undefined ? (
            <div style={{ padding: 14 }}>
              <ErrorState what="The endpoints" error={endpoints.error} onRetry={() => void endpoints.refetch()} retrying={endpoints.isFetching} />
            </div>
          ) : (
            <DataTable
              label="Endpoints"
              columns={COLUMNS}
              rows={rows}
              rowKey={(endpoint) => endpoint.id}
              onRowClick={(endpoint) =>
                void navigate({ to: '/admin/settings/notifications/$endpointId', params: { endpointId: endpoint.id } })
              }
              empty={
                <EmptyState
                  title="Nobody is notified yet"
                  action={
                    <ButtonLink to="/admin/settings/notifications/new" search={{ kind: 'WEBHOOK' }} variant="default">
                      Add a webhook
                    </ButtonLink>
                  }
                >
                  A webhook sends a signed request to your chat, pager or own program. For e-mail set up the e-mail server
                  below first.
                </EmptyState>
              }
            />
          )}
        </Section>
        {settings.data !== undefined ? (
          <>
            <MailServerForm settings={settings.data} />
            <ThresholdsForm settings={settings.data} />
          </>
        ) : (
          <Section title="E-mail server">
            {settings.isError ? (
              <ErrorState what="The settings" error={settings.error} onRetry={() => void settings.refetch()} retrying={settings.isFetching} />
            ) : (
              <LoadingLines />
            )}
          </Section>
        )}
      </Stack>
    </>
  );
}
