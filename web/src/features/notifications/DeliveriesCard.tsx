import { UnstyledButton } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { deliveriesQuery } from '@/api/notifications';
import type { Delivery, DeliveryState, Endpoint } from '@/api/types';
import { Clip } from '@/components/Clip';
import { DataTable, type Column } from '@/components/DataTable';
import { FilterSelect } from '@/components/FilterSelect';
import { Icon } from '@/components/Icon';
import { RelativeTime } from '@/components/RelativeTime';
import { Section } from '@/components/Section';
import { EmptyState, ErrorState } from '@/components/States';
import { StatusDot } from '@/components/StatusDot';
import jobs from '@/features/jobs/jobs.module.css';
import { DeliveryDetails } from './DeliveryDetails';
import classes from './notifications.module.css';
import { DELIVERY_STATES, deliveryState } from './words';

export function DeliveriesCard({ endpoint }: { endpoint: Endpoint }) {
  const [state, setState] = useState<DeliveryState | undefined>(undefined);
  const [open, setOpen] = useState<string | null>(null);
  const deliveries = useInfiniteQuery(deliveriesQuery(endpoint.id, state));
  const rows = deliveries.data?.pages.flatMap((page) => page.items);
  const toggle = (delivery: Delivery): void => {
    setOpen(open === delivery.id ? null : delivery.id);
  };

  const columns: Column<Delivery>[] = [
    { id: 'event', header: 'Event', cell: (delivery) => <span className="mono">{delivery.eventType}</span> },
    { id: 'summary', header: 'What happened', width: '36%', cell: (delivery) => <Clip text={delivery.summary} /> },
    { id: 'state', header: 'State', cell: (delivery) => <StatusDot {...deliveryState(delivery)} /> },
    {
      id: 'answer',
      header: 'Answer',
      align: 'end',
      cell: (delivery) =>
        delivery.lastAttempt === null ? (
          <span className="nothing">–</span>
        ) : (
          <span className="numeric">{delivery.lastAttempt.statusCode ?? delivery.lastAttempt.outcome.replaceAll('_', ' ')}</span>
        ),
    },
    { id: 'attempts', header: 'Attempts', align: 'end', cell: (delivery) => <span className="numeric">{delivery.attempts}</span> },
    { id: 'at', header: 'When', align: 'end', cell: (delivery) => <RelativeTime at={delivery.createdAt} /> },
    {
      id: 'details',
      header: 'Details',
      actions: true,
      width: 88,
      cell: (delivery) => (
        <UnstyledButton
          className={jobs.toggle}
          aria-expanded={open === delivery.id}
          aria-label={`Details of ${delivery.eventType}, ${delivery.id}`}
          onClick={() => {
            toggle(delivery);
          }}
        >
          Details
          <Icon name={open === delivery.id ? 'up' : 'down'} size={12} />
        </UnstyledButton>
      ),
    },
  ];

  return (
    <Section title="Deliveries" hint="What was sent, and what was answered. Kept for 30 days." flush>
      <div className={classes.filter}>
        <FilterSelect label="Filter by state" any="All states" options={DELIVERY_STATES} value={state} onChange={setState} />
      </div>
      {deliveries.isError && rows === undefined ? (
        <div style={{ padding: 14 }}>
          <ErrorState what="The deliveries" error={deliveries.error} onRetry={() => void deliveries.refetch()} retrying={deliveries.isFetching} />
        </div>
      ) : (
        <DataTable
          label="Deliveries"
          columns={columns}
          rows={rows}
          rowKey={(delivery) => delivery.id}
          onRowClick={toggle}
          detail={(delivery) => (delivery.id === open ? <DeliveryDetails deliveryId={delivery.id} kind={endpoint.kind} /> : null)}
          empty={
            state === undefined ? (
              <EmptyState title="Nothing was sent yet">Send a test to see whether it arrives.</EmptyState>
            ) : (
              <EmptyState title="No delivery is in this state">Choose another state to see more.</EmptyState>
            )
          }
          more={{
            hasMore: deliveries.hasNextPage,
            loading: deliveries.isFetchingNextPage,
            onMore: () => void deliveries.fetchNextPage(),
            noun: ['delivery', 'deliveries'],
          }}
        />
      )}
    </Section>
  );
}
