import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { ApiError } from './problem';
import type { LoginRequest, Me, SecondFactorNeeded } from './types';

export const meQuery = queryOptions({
  queryKey: ['me'],
  queryFn: ({ signal }): Promise<Me> => unwrap(api.GET('/api/v1/me', { signal })),
  staleTime: 60_000,
  retry: false,
});

/** The session list belongs to the person; it is refetched rather than trusted. */
export const sessionsQuery = queryOptions({
  queryKey: ['me', 'sessions'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/v1/me/sessions', { signal })),
});

export const platformQuery = queryOptions({
  queryKey: ['platform'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/v1/platform', { signal })),
  staleTime: 60_000,
});

export function loginPageQuery(slug: string) {
  return queryOptions({
    queryKey: ['login-page', slug],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/login-pages/{slug}', { params: { path: { slug } }, signal })),
    retry: false,
    staleTime: 60_000,
  });
}

/** Takes over whoever has signed in. Nothing that an earlier person saw may be shown to the next one. */
export function useWelcome(): (me: Me) => void {
  const client = useQueryClient();
  return (me) => {
    client.clear();
    client.setQueryData(meQuery.queryKey, me);
  };
}

/** The password alone: somebody is signed in, or a second factor is asked for. */
export function useLogin() {
  return useMutation({
    mutationFn: (body: LoginRequest): Promise<Me | SecondFactorNeeded> =>
      unwrap(api.POST('/api/v1/auth/login', { body })),
  });
}

export function useLogout() {
  return useMutation({
    mutationFn: async () => {
      try {
        await unwrap(api.POST('/api/v1/auth/logout'));
      } catch (error) {
        // Already signed out is what was wanted.
        if (!(error instanceof ApiError && error.status === 401)) throw error;
      }
    },
  });
}

export function useUpdateMe() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (displayName: string | null) => unwrap(api.PATCH('/api/v1/me', { body: { displayName } })),
    onSuccess: (me) => {
      client.setQueryData(meQuery.queryKey, me);
    },
  });
}

export function useChangePassword() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { currentPassword: string; newPassword: string }) => unwrap(api.POST('/api/v1/me/password', { body })),
    onSuccess: () => client.invalidateQueries({ queryKey: sessionsQuery.queryKey }),
  });
}

/** Ends one session, or all but this one. */
export function useEndSessions() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (which: { sessionId: string } | 'others') => {
      if (which === 'others') await unwrap(api.DELETE('/api/v1/me/sessions'));
      else await unwrap(api.DELETE('/api/v1/me/sessions/{sessionId}', { params: { path: which } }));
    },
    onSettled: () => client.invalidateQueries({ queryKey: sessionsQuery.queryKey }),
  });
}
