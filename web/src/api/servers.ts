import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from './client';
import type { Listener } from './types';

/** How often what happens on the boxes is asked for while somebody looks. */
export const LIVE_MS = 5_000;

export const serversQuery = queryOptions({
  queryKey: ['servers', 'list'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/v1/servers', { params: { query: { limit: 200 } }, signal })),
  refetchInterval: LIVE_MS,
});

export function serverQuery(serverId: string) {
  return queryOptions({
    queryKey: ['servers', 'one', serverId],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/servers/{serverId}', { params: { path: { serverId } }, signal })),
    refetchInterval: LIVE_MS,
  });
}

export function serverConfigQuery(serverId: string) {
  return queryOptions({
    queryKey: ['config', serverId],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/v1/servers/{serverId}/config', { params: { path: { serverId } }, signal })),
    refetchInterval: LIVE_MS,
  });
}

export function useRenameServer(serverId: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (name: string) =>
      unwrap(api.PATCH('/api/v1/servers/{serverId}', { params: { path: { serverId } }, body: { name } })),
    onSuccess: (server) => {
      client.setQueryData(serverQuery(serverId).queryKey, server);
      void client.invalidateQueries({ queryKey: ['servers'] });
      void client.invalidateQueries({ queryKey: ['users'] });
    },
  });
}

export function useUpdateServerConfig(serverId: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { generation: number; listeners: Listener[] }) =>
      unwrap(api.PUT('/api/v1/servers/{serverId}/config', { params: { path: { serverId } }, body })),
    onSuccess: (config) => {
      client.setQueryData(serverConfigQuery(serverId).queryKey, config);
    },
  });
}

/** Asks the gateway itself on its management port; changes nothing there. */
export function useCheckManagement(serverId: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () =>
      unwrap(api.POST('/api/v1/servers/{serverId}/management/check', { params: { path: { serverId } } })),
    onSettled: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: ['servers'] }),
        client.invalidateQueries({ queryKey: ['users'] }),
      ]),
  });
}
