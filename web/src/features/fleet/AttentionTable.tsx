import { useNavigate } from '@tanstack/react-router';
import type { AttentionItem, Endpoint } from '@/api/types';
import { AnchorLink } from '@/components/ButtonLink';
import { Clip } from '@/components/Clip';
import { DataTable, type Column } from '@/components/DataTable';
import { RelativeTime } from '@/components/RelativeTime';
import { Section } from '@/components/Section';
import { EmptyState } from '@/components/States';
import { StatusDot } from '@/components/StatusDot';
import { destination, endpointState, KIND } from '@/features/notifications/words';
import { ATTENTION } from '@/lib/words';

/** A server, or an endpoint of notifications: while one of those fails, nobody may hear of the rest. */
type Row = { item: AttentionItem } | { endpoint: Endpoint };

const nothing = <span className="nothing">–</span>;

const COLUMNS: Column<Row>[] = [
  {
    id: 'name',
    header: 'Name',
    cell: (row) =>
      'item' in row ? (
        <AnchorLink to="/admin/users/$userId" params={{ userId: row.item.userId }}>
          {row.item.serverName}
        </AnchorLink>
      ) : (
        <AnchorLink to="/admin/settings/notifications/$endpointId" params={{ endpointId: row.endpoint.id }}>
          {row.endpoint.description}
        </AnchorLink>
      ),
  },
  { id: 'username', header: 'Username', cell: (row) => ('item' in row ? row.item.username : nothing) },
  {
    id: 'kind',
    header: 'What',
    cell: (row) => <StatusDot {...('item' in row ? ATTENTION[row.item.kind] : { label: 'Notifications failing', tone: 'bad' })} />,
  },
  { id: 'detail', header: 'Detail', cell: (row) => ('item' in row ? row.item.detail : <EndpointDetail endpoint={row.endpoint} />) },
  {
    id: 'since',
    header: 'Since',
    cell: (row) => <RelativeTime at={'item' in row ? row.item.since : row.endpoint.failingSince} none="–" />,
    align: 'end',
  },
];

function EndpointDetail({ endpoint }: { endpoint: Endpoint }) {
  return <Clip text={`${KIND[endpoint.kind]} to ${destination(endpoint)}: ${endpointState(endpoint).label.toLowerCase()}`} />;
}

interface AttentionTableProps {
  items: AttentionItem[] | undefined;
  /** Those that fail. */
  endpoints: Endpoint[];
}

export function AttentionTable({ items, endpoints }: AttentionTableProps) {
  const navigate = useNavigate();
  const rows: Row[] | undefined = items && [...endpoints.map((endpoint) => ({ endpoint })), ...items.map((item) => ({ item }))];
  return (
    <Section title="Needs attention" flush>
      <DataTable
        label="Needs attention"
        columns={COLUMNS}
        rows={rows}
        rowKey={(row) => ('item' in row ? `${row.item.serverId} ${row.item.kind}` : row.endpoint.id)}
        onRowClick={(row) =>
          void ('item' in row
            ? navigate({ to: '/admin/users/$userId', params: { userId: row.item.userId } })
            : navigate({ to: '/admin/settings/notifications/$endpointId', params: { endpointId: row.endpoint.id } }))
        }
        empty={
          <EmptyState title="Nothing needs attention">
            Every installed gateway is serving under a valid license, and notifications arrive.
          </EmptyState>
        }
      />
    </Section>
  );
}
