import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { ApiError } from '@/api/problem';
import { serverQuery } from '@/api/servers';
import { AsHeard } from '@/components/HeardAt';
import { PageHeader } from '@/components/PageHeader';
import { Section } from '@/components/Section';
import { ErrorState, LoadingLines, OutOfDate } from '@/components/States';
import { NotFoundPage } from '@/features/shell/NotFoundPage';
import { ServerView } from './ServerView';

const route = getRouteApi('/shell/app/servers/$serverId');

export function ServerPage() {
  const { serverId } = route.useParams();
  const server = useQuery(serverQuery(serverId));
  if (server.error instanceof ApiError && [400, 404, 422].includes(server.error.status)) return <NotFoundPage />;
  if (server.data !== undefined) {
    return (
      <AsHeard query={server}>
        <ServerView server={server.data} notice={<OutOfDate query={server} />} />
      </AsHeard>
    );
  }
  return (
    <>
      <PageHeader title="My server" purpose="Your gateway: its state, its license and what it serves." />
      {server.isError ? (
        <ErrorState what="Your server" error={server.error} onRetry={() => void server.refetch()} retrying={server.isFetching} />
      ) : (
        <Section title="Server">
          <LoadingLines lines={5} />
        </Section>
      )}
    </>
  );
}
