import { infiniteQueryOptions, keepPreviousData, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from './client';
import type { components } from './schema';
import type { Delivery, DeliveryState, EndpointFields, NotificationSettingsFields } from './types';

const KEY = 'notifications';

export const notificationEventsQuery = queryOptions({
  queryKey: [KEY, 'events'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/v1/notifications/events', { signal })),
  staleTime: 600_000,
});

export const endpointsQuery = queryOptions({
  queryKey: [KEY, 'endpoints'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/v1/notifications/endpoints', { signal })),
  refetchInterval: 15_000,
});

export function endpointQuery(endpointId: string) {
  return queryOptions({
    queryKey: [KEY, 'endpoint', endpointId],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/notifications/endpoints/{endpointId}', { params: { path: { endpointId } }, signal })),
    refetchInterval: 10_000,
  });
}

/** How soon a page of deliveries is asked for again: quickly while the newest ones wait for their first attempt. */
function pollEvery(items: readonly Delivery[]): number {
  return items.slice(0, 5).some((item) => item.state === 'WAITING' && item.attempts < 2) ? 2_000 : 15_000;
}

export function deliveriesQuery(endpointId: string, state: DeliveryState | undefined) {
  return infiniteQueryOptions({
    queryKey: [KEY, 'deliveries', endpointId, state ?? 'ALL'],
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        api.GET('/api/v1/notifications/endpoints/{endpointId}/deliveries', {
          params: { path: { endpointId }, query: { limit: 50, state, cursor: pageParam ?? undefined } },
          signal,
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor ?? null,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state: { data } }) => pollEvery(data?.pages[0]?.items ?? []),
  });
}

export function deliveryQuery(deliveryId: string) {
  return queryOptions({
    queryKey: [KEY, 'delivery', deliveryId],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/v1/notifications/deliveries/{deliveryId}', { params: { path: { deliveryId } }, signal })),
    refetchInterval: ({ state }) => (state.data?.state === 'WAITING' ? 2_000 : false),
  });
}

export const notificationSettingsQuery = queryOptions({
  queryKey: [KEY, 'settings'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/v1/notifications/settings', { signal })),
});

function useRefresh() {
  const client = useQueryClient();
  return (...kinds: string[]) => {
    for (const kind of kinds) void client.invalidateQueries({ queryKey: [KEY, kind] });
  };
}

export function useCreateEndpoint() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (body: components['schemas']['CreateNotificationEndpointRequest']) =>
      unwrap(api.POST('/api/v1/notifications/endpoints', { body })),
    // The secret is shown once, and kept in no cache.
    gcTime: 0,
    onSuccess: () => {
      refresh('endpoints');
    },
  });
}

export function useUpdateEndpoint(endpointId: string) {
  const client = useQueryClient();
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (body: EndpointFields) => unwrap(api.PUT('/api/v1/notifications/endpoints/{endpointId}', { params: { path: { endpointId } }, body })),
    onSuccess: (endpoint) => {
      client.setQueryData(endpointQuery(endpointId).queryKey, endpoint);
      refresh('endpoints', 'deliveries');
    },
  });
}

export function useDeleteEndpoint() {
  const client = useQueryClient();
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (endpointId: string) => unwrap(api.DELETE('/api/v1/notifications/endpoints/{endpointId}', { params: { path: { endpointId } } })),
    onSuccess: (_, endpointId) => {
      client.removeQueries({ queryKey: endpointQuery(endpointId).queryKey });
      refresh('endpoints');
    },
  });
}

export function useEndpointSecret(endpointId: string, act: 'reveal' | 'rotate') {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: () => unwrap(api.POST(`/api/v1/notifications/endpoints/{endpointId}/secret/${act}`, { params: { path: { endpointId } } })),
    gcTime: 0,
    onSuccess: () => {
      if (act === 'rotate') refresh('endpoint', 'endpoints');
    },
  });
}

export function useTestEndpoint(endpointId: string) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: () => unwrap(api.POST('/api/v1/notifications/endpoints/{endpointId}/test', { params: { path: { endpointId } } })),
    onSuccess: () => {
      refresh('deliveries', 'endpoint', 'endpoints');
    },
  });
}

export function useRedeliver() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (deliveryId: string) =>
      unwrap(api.POST('/api/v1/notifications/deliveries/{deliveryId}/redeliver', { params: { path: { deliveryId } } })),
    onSuccess: () => {
      refresh('deliveries', 'delivery', 'endpoint');
    },
  });
}

export function useUpdateNotificationSettings() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: NotificationSettingsFields) => unwrap(api.PUT('/api/v1/notifications/settings', { body })),
    onSuccess: (settings) => {
      client.setQueryData(notificationSettingsQuery.queryKey, settings);
    },
  });
}

export function useTestMail() {
  return useMutation({
    mutationFn: (recipient: string) =>
      unwrap(api.POST('/api/v1/notifications/settings/test', { body: { recipient } })),
  });
}
