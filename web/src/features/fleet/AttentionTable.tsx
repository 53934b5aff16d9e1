import { Anchor } from '@mantine/core';
import { Link, useNavigate } from '@tanstack/react-router';
import type { AttentionItem } from '@/api/types';
import { DataTable, type Column } from '@/components/DataTable';
import { RelativeTime } from '@/components/RelativeTime';
import { Section } from '@/components/Section';
import { EmptyState } from '@/components/States';
import { StatusDot } from '@/components/StatusDot';
import { ATTENTION } from '@/lib/words';

const COLUMNS: Column<AttentionItem>[] = [
  {
    id: 'server',
    header: 'Server',
    cell: (item) => (
      <Anchor
        size="sm"
        renderRoot={(props) => <Link to="/admin/users/$userId" params={{ userId: item.userId }} {...props} />}
      >
        {item.serverName}
      </Anchor>
    ),
  },
  { id: 'username', header: 'Username', cell: (item) => item.username },
  { id: 'kind', header: 'What', cell: (item) => <StatusDot {...ATTENTION[item.kind]} /> },
  { id: 'detail', header: 'Detail', cell: (item) => item.detail },
  { id: 'since', header: 'Since', cell: (item) => <RelativeTime at={item.since} none="–" />, align: 'end' },
];

export function AttentionTable({ items }: { items: AttentionItem[] | undefined }) {
  const navigate = useNavigate();
  return (
    <Section title="Needs attention" flush>
      <DataTable
        label="Needs attention"
        columns={COLUMNS}
        rows={items}
        rowKey={(item) => `${item.serverId} ${item.kind}`}
        onRowClick={(item) => void navigate({ to: '/admin/users/$userId', params: { userId: item.userId } })}
        empty={<EmptyState title="Nothing needs attention">Every installed gateway is serving under a valid license.</EmptyState>}
      />
    </Section>
  );
}
