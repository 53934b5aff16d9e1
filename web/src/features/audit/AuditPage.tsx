import { Button, Card, Group } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { auditQuery, type AuditFilters } from '@/api/admin';
import { DataTable } from '@/components/DataTable';
import { Icon } from '@/components/Icon';
import { PageHeader } from '@/components/PageHeader';
import section from '@/components/Section.module.css';
import { EmptyState, ErrorState } from '@/components/States';
import { auditColumns } from './auditColumns';
import { AuditDetail } from './AuditDetail';
import { AuditFilterBar } from './AuditFilterBar';
import { ChainLine } from './ChainLine';
import { ExportMenu } from './ExportMenu';
import { RetentionDialog } from './RetentionDialog';
import { SearchFurther, useSearchFurther } from './SearchFurther';
import { timesReversed } from './times';

const route = getRouteApi('/shell/admin/audit');

export function AuditPage() {
  const filters = route.useSearch();
  const navigate = useNavigate();
  const reversed = timesReversed(filters);
  const audit = useInfiniteQuery({ ...auditQuery(filters), enabled: !reversed });
  const [open, setOpen] = useState<readonly number[]>([]);

  const [keeping, setKeeping] = useState(false);

  const further = useSearchFurther(audit);
  const found = audit.data?.pages.flatMap((page) => page.items);
  // Nothing yet of a search that goes on by itself is not nothing.
  const rows = reversed ? [] : found?.length === 0 && further?.searching === true ? undefined : found;
  const filter = (change: AuditFilters): void => {
    void navigate({ to: '/admin/audit', search: { ...filters, ...change }, replace: true });
  };
  const toggle = (id: number): void => {
    setOpen(open.includes(id) ? open.filter((other) => other !== id) : [...open, id]);
  };

  return (
    <>
      <PageHeader
        title="Audit Log"
        purpose="Who did what, when and from where. Newest first."
        action={
          <Group gap="xs">
            <Button
              variant="default"
              disabled={reversed}
              leftSection={<Icon name="refresh" size={14} />}
              onClick={() => void audit.refetch()}
              loading={audit.isRefetching && !audit.isFetchingNextPage}
            >
              Refresh
            </Button>
            <Button
              variant="default"
              onClick={() => {
                setKeeping(true);
              }}
            >
              Retention…
            </Button>
            <ExportMenu filters={filters} disabled={reversed} />
          </Group>
        }
      />
      <ChainLine />
      <Card className={section.section}>
        <AuditFilterBar filters={filters} onChange={filter} />
        {audit.isError && rows === undefined ? (
          <div style={{ padding: 14 }}>
            <ErrorState what="The audit log" error={audit.error} onRetry={() => void audit.refetch()} retrying={audit.isFetching} />
          </div>
        ) : (
          <DataTable
            label="Audit log"
            columns={auditColumns({ open, onToggle: toggle })}
            rows={rows}
            rowKey={(entry) => entry.id}
            onRowClick={(entry) => {
              toggle(entry.id);
            }}
            detail={(entry) => (open.includes(entry.id) ? <AuditDetail entry={entry} /> : null)}
            empty={further === null ? <AuditEmpty filtered={Object.keys(filters).length > 0} /> : null}
            more={{
              hasMore: audit.hasNextPage,
              loading: audit.isFetchingNextPage,
              onMore: () => void audit.fetchNextPage(),
              noun: ['entry', 'entries'],
            }}
          />
        )}
        {further !== null && <SearchFurther {...further} />}
      </Card>
      <RetentionDialog
        opened={keeping}
        onClose={() => {
          setKeeping(false);
        }}
      />
    </>
  );
}

function AuditEmpty({ filtered }: { filtered: boolean }) {
  if (!filtered) return <EmptyState title="Nothing has been recorded yet">Every sign-in and every change appears here.</EmptyState>;
  return (
    <EmptyState
      title="No entries match"
      action={
        <Button component={Link} to="/admin/audit" variant="default">
          Clear filters
        </Button>
      }
    >
      Change or clear the filters to see more.
    </EmptyState>
  );
}
