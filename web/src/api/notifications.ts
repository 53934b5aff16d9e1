import { infiniteQueryOptions, keepPreviousData, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { loose, unwrap } from './client';

export type EndpointKind = 'WEBHOOK' | 'EMAIL';
export type DeliveryState = 'WAITING' | 'DELIVERED' | 'FAILED' | 'CANCELLED';

export interface NotificationEvent {
  type: string;
  title: string;
  description: string;
}

export interface Endpoint {
  id: string;
  kind: EndpointKind;
  description: string;
  url: string | null;
  recipients: string[];
  events: string[];
  enabled: boolean;
  disabledReason: 'BY_ADMIN' | 'GONE' | 'FAILURES' | null;
  disabledAt: string | null;
  failingSince: string | null;
  lastDeliveredAt: string | null;
  waiting: number;
  previousSecretUntil: string | null;
  createdAt: string;
  updatedAt: string;
}

export interface EndpointFields {
  description: string;
  url?: string;
  recipients?: string[];
  events: string[];
  enabled: boolean;
}

export interface EndpointSecret {
  secret: string;
  previousSecret: string | null;
  previousSecretUntil: string | null;
}

export interface Attempt {
  number: number;
  at: string;
  durationMs: number;
  statusCode: number | null;
  outcome: string;
  message: string;
  response: string | null;
}

export interface Delivery {
  id: string;
  endpointId: string;
  eventId: string;
  eventType: string;
  summary: string;
  state: DeliveryState;
  attempts: number;
  createdAt: string;
  nextAttemptAt: string | null;
  finishedAt: string | null;
  lastAttempt: Attempt | null;
}

export interface DeliveryDetail extends Delivery {
  payload: Record<string, unknown>;
  log: Attempt[];
}

export type SmtpTls = 'STARTTLS' | 'TLS' | 'NONE';

export interface Smtp {
  host: string;
  port: number;
  tls: SmtpTls;
  username: string | null;
  passwordStored: boolean;
  from: string;
}

export interface NotificationSettings {
  licenseEndingHours: number;
  offlineSettleMinutes: number;
  silentHours: number;
  smtp: Smtp | null;
  updatedAt: string | null;
}

/** `password` left out keeps the stored one, null forgets it. */
export type SmtpFields = Omit<Smtp, 'passwordStored'> & { password?: string | null };

export type NotificationSettingsFields = Omit<NotificationSettings, 'smtp' | 'updatedAt'> & { smtp: SmtpFields | null };

const ROOT = '/api/v1/notifications';
const ENDPOINT = `${ROOT}/endpoints/{endpointId}`;
const KEY = 'notifications';

export const notificationEventsQuery = queryOptions({
  queryKey: [KEY, 'events'],
  queryFn: ({ signal }) => unwrap(loose.GET<{ items: NotificationEvent[] }>(`${ROOT}/events`, { signal })),
  staleTime: 600_000,
});

export const endpointsQuery = queryOptions({
  queryKey: [KEY, 'endpoints'],
  queryFn: ({ signal }) => unwrap(loose.GET<{ items: Endpoint[] }>(`${ROOT}/endpoints`, { signal })),
  refetchInterval: 15_000,
});

export function endpointQuery(endpointId: string) {
  return queryOptions({
    queryKey: [KEY, 'endpoint', endpointId],
    queryFn: ({ signal }) => unwrap(loose.GET<Endpoint>(ENDPOINT, { params: { path: { endpointId } }, signal })),
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
        loose.GET<{ items: Delivery[]; nextCursor: string | null }>(`${ENDPOINT}/deliveries`, {
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
      unwrap(loose.GET<DeliveryDetail>(`${ROOT}/deliveries/{deliveryId}`, { params: { path: { deliveryId } }, signal })),
    refetchInterval: ({ state }) => (state.data?.state === 'WAITING' ? 2_000 : false),
  });
}

export const notificationSettingsQuery = queryOptions({
  queryKey: [KEY, 'settings'],
  queryFn: ({ signal }) => unwrap(loose.GET<NotificationSettings>(`${ROOT}/settings`, { signal })),
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
    mutationFn: (body: EndpointFields & { kind: EndpointKind }) =>
      unwrap(loose.POST<{ endpoint: Endpoint; secret: string | null }>(`${ROOT}/endpoints`, { body })),
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
    mutationFn: (body: EndpointFields) => unwrap(loose.PUT<Endpoint>(ENDPOINT, { params: { path: { endpointId } }, body })),
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
    mutationFn: (endpointId: string) => unwrap(loose.DELETE<undefined>(ENDPOINT, { params: { path: { endpointId } } })),
    onSuccess: (_, endpointId) => {
      client.removeQueries({ queryKey: endpointQuery(endpointId).queryKey });
      refresh('endpoints');
    },
  });
}

export function useEndpointSecret(endpointId: string, act: 'reveal' | 'rotate') {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: () => unwrap(loose.POST<EndpointSecret>(`${ENDPOINT}/secret/${act}`, { params: { path: { endpointId } } })),
    gcTime: 0,
    onSuccess: () => {
      if (act === 'rotate') refresh('endpoint', 'endpoints');
    },
  });
}

export function useTestEndpoint(endpointId: string) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: () => unwrap(loose.POST<Delivery>(`${ENDPOINT}/test`, { params: { path: { endpointId } } })),
    onSuccess: () => {
      refresh('deliveries', 'endpoint', 'endpoints');
    },
  });
}

export function useRedeliver() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (deliveryId: string) =>
      unwrap(loose.POST<Delivery>(`${ROOT}/deliveries/{deliveryId}/redeliver`, { params: { path: { deliveryId } } })),
    onSuccess: () => {
      refresh('deliveries', 'delivery', 'endpoint');
    },
  });
}

export function useUpdateNotificationSettings() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: NotificationSettingsFields) => unwrap(loose.PUT<NotificationSettings>(`${ROOT}/settings`, { body })),
    onSuccess: (settings) => {
      client.setQueryData(notificationSettingsQuery.queryKey, settings);
    },
  });
}

export function useTestMail() {
  return useMutation({
    mutationFn: (recipient: string) =>
      unwrap(loose.POST<{ accepted: boolean; message: string; answer: string | null }>(`${ROOT}/settings/test`, { body: { recipient } })),
  });
}
