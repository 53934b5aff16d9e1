import { useLocalStorage } from '@mantine/hooks';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { connectionQuery } from '@/api/connections';
import { isUnfinished, jobsQuery } from '@/api/jobs';
import type { Connection, Server } from '@/api/types';
import { Section } from '@/components/Section';
import { ErrorState, LoadingLines } from '@/components/States';
import { JobCard } from '@/features/jobs/JobCard';
import { foremost } from '@/features/jobs/progress';
import { useNow } from '@/lib/clock';
import { AccessCard } from './AccessCard';
import { ConnectCard } from './ConnectCard';
import { GatewayCard } from './GatewayCard';
import { refusal } from './stage';

/** What is under way on a server, and what can be done there; for its owner and for the admin who helps. */
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
  const job = foremost(newest, putAway, now);
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
      <Doable server={server} connection={connection.data} busy={busy} admin={admin} />
    </>
  );
}

function Doable({ server, connection, busy, admin }: { server: Server; connection: Connection; busy: boolean; admin: boolean }) {
  if (server.status === 'NOT_INSTALLED' || server.status === 'INSTALLING') {
    // What is being installed needs no card that could install it.
    return busy || server.status === 'INSTALLING' ? null : <ConnectCard server={server} connection={connection} admin={admin} />;
  }
  return (
    <>
      <GatewayCard server={server} connection={connection} busy={busy} />
      <AccessCard server={server} connection={connection} busy={busy} />
    </>
  );
}
