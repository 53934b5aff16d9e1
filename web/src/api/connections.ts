import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from './client';
import type { Connection, SaveConnectionRequest } from './types';

export function connectionQuery(serverId: string) {
  return queryOptions({
    queryKey: ['connection', serverId],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/v1/servers/{serverId}/connection', { params: { path: { serverId } }, signal })),
    // A job may find another host key, or trade the password for a key.
    refetchInterval: 10_000,
  });
}

/** What a call answers about the connection is shown at once. */
function useConnectionCall<Input, Output>(
  serverId: string,
  call: (input: Input) => Promise<Output>,
  connectionOf: (output: Output) => Connection | null,
) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: call,
    onSuccess: (output) => {
      const connection = connectionOf(output);
      if (connection !== null) client.setQueryData(connectionQuery(serverId).queryKey, connection);
    },
    // Also after a refusal: it says that what is shown is out of date.
    onError: () => void client.invalidateQueries({ queryKey: connectionQuery(serverId).queryKey }),
    // What was typed is not kept in any cache.
    gcTime: 0,
  });
}

export function useSaveConnection(serverId: string) {
  return useConnectionCall(
    serverId,
    (body: SaveConnectionRequest) =>
      unwrap(api.PUT('/api/v1/servers/{serverId}/connection', { params: { path: { serverId } }, body })),
    (connection) => connection,
  );
}

/** Neither user name nor credential is sent to the server by this. */
export function useProbeHostKey(serverId: string) {
  return useConnectionCall(
    serverId,
    () => unwrap(api.POST('/api/v1/servers/{serverId}/connection/host-key', { params: { path: { serverId } } })),
    (probe) => probe.connection,
  );
}

export function useConfirmHostKey(serverId: string) {
  return useConnectionCall(
    serverId,
    (fingerprint: string) =>
      unwrap(
        api.POST('/api/v1/servers/{serverId}/connection/host-key/confirm', {
          params: { path: { serverId } },
          body: { fingerprint },
        }),
      ),
    (connection) => connection,
  );
}

export function useTestConnection(serverId: string) {
  return useConnectionCall(
    serverId,
    () => unwrap(api.POST('/api/v1/servers/{serverId}/connection/test', { params: { path: { serverId } } })),
    (test) => test.connection,
  );
}

export function useForgetConnection(serverId: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => unwrap(api.DELETE('/api/v1/servers/{serverId}/connection', { params: { path: { serverId } } })),
    onSettled: () => client.invalidateQueries({ queryKey: connectionQuery(serverId).queryKey }),
  });
}
