import { UnstyledButton } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { isUnfinished, jobsQuery } from '@/api/jobs';
import type { Job } from '@/api/types';
import { DataTable, type Column } from '@/components/DataTable';
import { Icon } from '@/components/Icon';
import { RelativeTime } from '@/components/RelativeTime';
import { Section } from '@/components/Section';
import { EmptyState, ErrorState } from '@/components/States';
import { StatusDot } from '@/components/StatusDot';
import { duration } from '@/lib/time';
import classes from './jobs.module.css';
import { JobView } from './JobView';
import { jobElapsedMs } from './progress';
import { JOB_KIND, JOB_STATE } from './words';

/** Everything that was done on the server, newest first. */
export function JobHistory({ serverId }: { serverId: string }) {
  const jobs = useInfiniteQuery(jobsQuery(serverId));
  const [open, setOpen] = useState<string | null>(null);
  const rows = jobs.data?.pages.flatMap((page) => page.items);
  const toggle = (job: Job): void => {
    setOpen(open === job.id ? null : job.id);
  };

  const columns: Column<Job>[] = [
    { id: 'kind', header: 'What', cell: (job) => JOB_KIND[job.kind].name },
    { id: 'state', header: 'Outcome', cell: (job) => <StatusDot {...JOB_STATE[job.state]} /> },
    { id: 'by', header: 'Requested by', cell: (job) => job.requestedBy },
    { id: 'at', header: 'When', align: 'end', cell: (job) => <RelativeTime at={job.requestedAt} /> },
    {
      id: 'took',
      header: 'Took',
      align: 'end',
      cell: (job) => (isUnfinished(job) ? <span className="nothing">–</span> : <span className="numeric">{duration(jobElapsedMs(job, 0))}</span>),
    },
    {
      id: 'steps',
      header: 'Steps',
      actions: true,
      width: 76,
      cell: (job) => (
        <UnstyledButton
          className={classes.toggle}
          aria-expanded={open === job.id}
          aria-label={`Steps of this ${JOB_KIND[job.kind].name.toLowerCase()}`}
          onClick={() => {
            toggle(job);
          }}
        >
          Steps
          <Icon name={open === job.id ? 'up' : 'down'} size={12} />
        </UnstyledButton>
      ),
    },
  ];

  return (
    <Section title="History" hint="What was done on the server, by whom, and how it ended." flush>
      {jobs.isError && rows === undefined ? (
        <div style={{ padding: 14 }}>
          <ErrorState what="The history" error={jobs.error} onRetry={() => void jobs.refetch()} retrying={jobs.isFetching} />
        </div>
      ) : (
        <DataTable
          label="History"
          columns={columns}
          rows={rows}
          rowKey={(job) => job.id}
          onRowClick={toggle}
          detail={(job) => (job.id === open ? <JobView serverId={serverId} jobId={job.id} /> : null)}
          empty={
            <EmptyState title="Nothing has been done on this server yet">
              Whatever is done shows up here, with its steps and their logs.
            </EmptyState>
          }
          more={{
            hasMore: jobs.hasNextPage,
            loading: jobs.isFetchingNextPage,
            onMore: () => void jobs.fetchNextPage(),
            noun: ['job', 'jobs'],
          }}
        />
      )}
    </Section>
  );
}
