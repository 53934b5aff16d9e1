import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { refreshAfterJob } from './jobs';

/** How often it is asked whether the server has begun. */
const OPEN_POLL_MS = 1_500;
const IDLE_POLL_MS = 15_000;

/** Whether an install command is open; its token is nowhere in it. */
export function installTokenQuery(serverId: string) {
  return queryOptions({
    queryKey: ['install-token', serverId],
    queryFn: async ({ signal }) => {
      const state = await unwrap(
        api.GET('/api/v1/servers/{serverId}/install-token', { params: { path: { serverId } }, signal }),
      );
      // Server time minus this browser's: the countdown does not depend on the browser's clock.
      return { open: state.open, clockAheadMs: Date.parse(state.now) - Date.now() };
    },
    refetchInterval: (query) => (query.state.data?.open ? OPEN_POLL_MS : IDLE_POLL_MS),
  });
}

export function useMakeInstallToken(serverId: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => unwrap(api.POST('/api/v1/servers/{serverId}/install-token', { params: { path: { serverId } } })),
    // Also after a refusal: a job may be under way.
    onSettled: () =>
      Promise.all([client.invalidateQueries({ queryKey: ['install-token', serverId] }), refreshAfterJob(client, serverId)]),
    // The command is kept in no cache.
    gcTime: 0,
  });
}

export function useWithdrawInstallToken(serverId: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => unwrap(api.DELETE('/api/v1/servers/{serverId}/install-token', { params: { path: { serverId } } })),
    onSettled: () => client.invalidateQueries({ queryKey: ['install-token', serverId] }),
  });
}
