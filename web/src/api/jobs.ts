import { infiniteQueryOptions, keepPreviousData, queryOptions, useMutation, useQueryClient, type QueryClient } from '@tanstack/react-query';
import { api, unwrap } from './client';
import type { Job, JobDetails, JobKind, JobLogLine } from './types';

/** How often a running job is asked for. */
export const JOB_POLL_MS = 1_000;
/** How often the list is asked for, so that a job that somebody else started shows up. */
const LIST_POLL_MS = 5_000;
/** The newest lines that are kept of a job's log. */
export const LOG_LINES_MAX = 5_000;

export function isUnfinished(job: Pick<Job, 'state'>): boolean {
  return job.state === 'QUEUED' || job.state === 'RUNNING';
}

/** A job as it was last heard of, with every line of its log so far. */
export interface FollowedJob extends JobDetails {
  /** Server time minus this browser's, in milliseconds: elapsed times do not depend on the browser's clock. */
  clockAheadMs: number;
  /** The last answer brought lines, so there may be more of them. */
  moreLog: boolean;
}

function appended(lines: readonly JobLogLine[], more: readonly JobLogLine[]): JobLogLine[] {
  const last = lines[lines.length - 1]?.id ?? 0;
  return [...lines, ...more.filter((line) => line.id > last)].slice(-LOG_LINES_MAX);
}

/** Only what is new of the log is asked for. */
export function follow(before: FollowedJob | undefined, answer: JobDetails, nowMs: number): FollowedJob {
  return {
    ...answer,
    log: before === undefined ? answer.log : appended(before.log, answer.log),
    clockAheadMs: Date.parse(answer.now) - nowMs,
    moreLog: answer.log.length > 0,
  };
}

/** Stops when the job is finished and all of its log is here. */
export function jobPollInterval(job: FollowedJob | undefined): number | false {
  return job === undefined || isUnfinished(job) || job.moreLog ? JOB_POLL_MS : false;
}

const jobKey = (serverId: string, jobId: string) => ['jobs', serverId, 'one', jobId] as const;
const jobsKey = (serverId: string) => ['jobs', serverId, 'list'] as const;

export function jobQuery(serverId: string, jobId: string) {
  return queryOptions({
    queryKey: jobKey(serverId, jobId),
    queryFn: async ({ signal, client }): Promise<FollowedJob> => {
      const before = client.getQueryData<FollowedJob>(jobKey(serverId, jobId));
      const answer = await unwrap(
        api.GET('/api/v1/servers/{serverId}/jobs/{jobId}', {
          params: { path: { serverId, jobId }, query: before === undefined ? {} : { after: before.logCursor } },
          signal,
        }),
      );
      return follow(before, answer, Date.now());
    },
    // The log only grows: what is here is not asked for again when a tab is looked at again.
    staleTime: Infinity,
    refetchInterval: (query) => jobPollInterval(query.state.data),
  });
}

/** Newest first. */
export function jobsQuery(serverId: string) {
  return infiniteQueryOptions({
    queryKey: jobsKey(serverId),
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        api.GET('/api/v1/servers/{serverId}/jobs', {
          params: { path: { serverId }, query: { limit: 10, ...(pageParam === null ? {} : { cursor: pageParam }) } },
          signal,
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor ?? null,
    placeholderData: keepPreviousData,
    refetchInterval: LIST_POLL_MS,
  });
}

/** A job's end changes almost everything that is told about its server. */
export async function refreshAfterJob(client: QueryClient, serverId: string): Promise<void> {
  await Promise.all([
    client.invalidateQueries({ queryKey: jobsKey(serverId) }),
    client.invalidateQueries({ queryKey: ['connection', serverId] }),
    ...['servers', 'users', 'fleet', 'license', 'config'].map((key) => client.invalidateQueries({ queryKey: [key] })),
  ]);
}

export function useCreateJob(serverId: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (kind: JobKind) =>
      unwrap(api.POST('/api/v1/servers/{serverId}/jobs', { params: { path: { serverId } }, body: { kind } })),
    onSuccess: (job) => {
      client.setQueryData(jobKey(serverId, job.id), follow(undefined, job, Date.now()));
    },
    // Also after a refusal: another job may be under way.
    onSettled: () => refreshAfterJob(client, serverId),
  });
}

export function useCancelJob(serverId: string, jobId: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () =>
      unwrap(api.POST('/api/v1/servers/{serverId}/jobs/{jobId}/cancel', { params: { path: { serverId, jobId } } })),
    onSettled: () => client.invalidateQueries({ queryKey: jobKey(serverId, jobId) }),
  });
}
