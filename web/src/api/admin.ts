import { infiniteQueryOptions, keepPreviousData, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { utcFromLocalInput } from '@/lib/time';
import { api, unwrap } from './client';
import type { AuditEntry, Settings } from './types';

export const fleetQuery = queryOptions({
  queryKey: ['fleet'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/v1/fleet', { signal })),
  refetchInterval: 10_000,
});

export const settingsQuery = queryOptions({
  queryKey: ['settings'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/v1/settings', { signal })),
});

export const certificateQuery = queryOptions({
  queryKey: ['settings', 'certificate'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/v1/settings/certificate', { signal })),
  refetchInterval: 60_000,
});

export function useUpdateSettings() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: Omit<Settings, 'updatedAt'>) =>
      unwrap(api.PUT('/api/v1/settings', { body })),
    onSuccess: (settings) => {
      client.setQueryData(settingsQuery.queryKey, settings);
      void client.invalidateQueries({ queryKey: ['platform'] });
    },
  });
}

/** As they stand in the address bar: times are `datetime-local` values read as UTC. */
export interface AuditFilters {
  action?: string;
  actor?: string;
  target?: string;
  outcome?: AuditEntry['outcome'];
  from?: string;
  to?: string;
}

function auditParameters(filters: AuditFilters): AuditFilters {
  const sent: AuditFilters = {};
  if (filters.action) sent.action = filters.action;
  if (filters.actor) sent.actor = filters.actor;
  if (filters.target) sent.target = filters.target;
  if (filters.outcome) sent.outcome = filters.outcome;
  const from = utcFromLocalInput(filters.from);
  const to = utcFromLocalInput(filters.to);
  if (from !== undefined) sent.from = from;
  if (to !== undefined) sent.to = to;
  return sent;
}

/** A page may hold fewer entries than asked for, even none, and not be the last: then it says how far back it looked. */
export function auditQuery(filters: AuditFilters) {
  const parameters = auditParameters(filters);
  return infiniteQueryOptions({
    queryKey: ['audit', 'list', parameters],
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        api.GET('/api/v1/audit', {
          params: { query: { ...parameters, limit: 50, ...(pageParam === null ? {} : { cursor: pageParam }) } },
          signal,
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor ?? null,
    placeholderData: keepPreviousData,
  });
}

export const auditActionsQuery = queryOptions({
  queryKey: ['audit', 'actions'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/v1/audit/actions', { signal })),
  staleTime: 600_000,
});

export type ExportFormat = 'csv' | 'jsonl';

export function auditExportUrl(filters: AuditFilters, format: ExportFormat): string {
  const query = new URLSearchParams({ ...(auditParameters(filters) as Record<string, string>), format }).toString();
  return `/api/v1/audit/export?${query}`;
}

/** For admins. */
export const integrityQuery = queryOptions({
  queryKey: ['audit', 'integrity'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/v1/audit/integrity', { signal })),
  refetchInterval: 30_000,
  staleTime: 10_000,
});

export const retentionQuery = queryOptions({
  queryKey: ['audit', 'retention'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/v1/audit/retention', { signal })),
});

export function useUpdateRetention() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (days: number | null) => unwrap(api.PUT('/api/v1/audit/retention', { body: { days } })),
    onSuccess: (retention) => {
      client.setQueryData(retentionQuery.queryKey, retention);
      void client.invalidateQueries({ queryKey: ['audit', 'list'] });
    },
  });
}
