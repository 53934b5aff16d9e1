import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from './client';
import type { License } from './types';

export function licenseQuery(serverId: string) {
  return queryOptions({
    queryKey: ['license', serverId],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/v1/servers/{serverId}/license', { params: { path: { serverId } }, signal })),
    // A rotation is over within seconds of the gateway's next heartbeat.
    refetchInterval: ({ state }) => (state.data?.rotation ? 2_000 : 10_000),
  });
}

export function useRevealKey(serverId: string) {
  return useMutation({
    mutationFn: () =>
      unwrap(api.POST('/api/v1/servers/{serverId}/license/reveal', { params: { path: { serverId } } })),
    // The plaintext is not kept in any cache.
    gcTime: 0,
  });
}

function useLicenseAction<Body>(serverId: string, act: (body: Body) => Promise<License>) {
  const client = useQueryClient();
  const refresh = () => {
    for (const key of ['license', 'users', 'servers', 'fleet']) void client.invalidateQueries({ queryKey: [key] });
  };
  return useMutation({
    mutationFn: act,
    onSuccess: (license) => {
      client.setQueryData(licenseQuery(serverId).queryKey, license);
    },
    // Also after a refusal: it says that what is shown is out of date.
    onSettled: refresh,
  });
}

export function useRegenerateLicense(serverId: string) {
  return useLicenseAction(serverId, () =>
    unwrap(api.POST('/api/v1/servers/{serverId}/license/regenerate', { params: { path: { serverId } } })),
  );
}

export function useRotateLicense(serverId: string) {
  return useLicenseAction(serverId, (limitSeconds: number) =>
    unwrap(api.POST('/api/v1/servers/{serverId}/license/rotate', { params: { path: { serverId } }, body: { limitSeconds } })),
  );
}

export function useCancelRotation(serverId: string) {
  return useLicenseAction(serverId, () =>
    unwrap(api.POST('/api/v1/servers/{serverId}/license/rotate/cancel', { params: { path: { serverId } } })),
  );
}

export function useRevokeLicense(serverId: string) {
  return useLicenseAction(serverId, (graceSeconds: number) =>
    unwrap(api.POST('/api/v1/servers/{serverId}/license/revoke', { params: { path: { serverId } }, body: { graceSeconds } })),
  );
}

export function useReinstateLicense(serverId: string) {
  return useLicenseAction(serverId, () =>
    unwrap(api.POST('/api/v1/servers/{serverId}/license/reinstate', { params: { path: { serverId } } })),
  );
}
