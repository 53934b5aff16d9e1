import { useLocalStorage } from '@mantine/hooks';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { connectionQuery } from '@/api/connections';
import { isUnfinished, jobsQuery } from '@/api/jobs';
import type { Server } from '@/api/types';
import { Section } from '@/components/Section';
import { ErrorState, LoadingLines } from '@/components/States';
import { JobCard } from '@/features/jobs/JobCard';
import { foremost } from '@/features/jobs/progress';
import { useNow } from '@/lib/clock';
import { AccessCard } from './AccessCard';
import { ConnectCard } from './ConnectCard';
import { GatewayCard } from './GatewayCard';
import { refusal } from './stage';

/** What is under way on a server, or the way to its installation; for its owner and for the admin who helps. */
export function ServerWork({ server, admin = false }: { server: Server; admin?: boolean }) {
  const connection = useQuery(connectionQuery(server.id));
  const jobs = useInfiniteQuery(jobsQuery(server.id));
  const [putAway, setPutAway] = useLocalStorage<string | null>({
    key: 'proxima.jobs.put-away',
    defaultValue: null,
    getInitialValueInEffect: false,
  });
  const now = useNow();

  if (connection.data === undefined) {
    return (
      <Section title="Server access">
        {connection.isError ? (
          <ErrorState
            what="How the server is reached"
            error={connection.error}
            onRetry={() => void connection.refetch()}
            retrying={connection.isFetching}
          />
        ) : (
          <LoadingLines />
        )}
      </Section>
    );
  }

  const newest = jobs.data?.pages[0]?.items[0];
  const stopped = server.reinstallNeeded || ['STOPPED_BY_LICENSE', 'KEY_RETIRED', 'OFFLINE'].includes(server.status);
  const job = foremost(newest, putAway, now, stopped);
  const busy = newest !== undefined && isUnfinished(newest);
  return (
    <>
      {job !== null && (
        <JobCard
          key={job.id}
          server={server}
          job={job}
          retryRefused={refusal(connection.data, busy)}
          onPutAway={() => {
            setPutAway(job.id);
          }}
        />
      )}
      {server.status === 'NOT_INSTALLED' && !busy && <ConnectCard server={server} connection={connection.data} admin={admin} />}
    </>
  );
}

/** What can be done with a gateway that is installed: nothing that is needed every day. */
export function ServerCare({ server }: { server: Server }) {
  const connection = useQuery(connectionQuery(server.id));
  const jobs = useInfiniteQuery(jobsQuery(server.id));
  if (connection.data === undefined || !isInstalled(server)) return null;
  const newest = jobs.data?.pages[0]?.items[0];
  const busy = newest !== undefined && isUnfinished(newest);
  return (
    <>
      <GatewayCard server={server} connection={connection.data} busy={busy} />
      <AccessCard server={server} connection={connection.data} busy={busy} />
    </>
  );
}

function isInstalled(server: Server): boolean {
  return server.status !== 'NOT_INSTALLED' && server.status !== 'INSTALLING';
}
