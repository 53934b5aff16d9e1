import { infiniteQueryOptions, keepPreviousData, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from './client';
import type { CreateUserRequest, LicenseStatus, Role, ServerStatus, UpdateUserRequest } from './types';

export const USER_SORTS = ['username', '-username', 'createdAt', '-createdAt'] as const;
export type UserSort = (typeof USER_SORTS)[number];

export interface UserFilters {
  search?: string;
  role?: Role;
  licenseStatus?: LicenseStatus;
  serverStatus?: ServerStatus;
  sort?: UserSort;
}

export function usersQuery(filters: UserFilters) {
  return infiniteQueryOptions({
    queryKey: ['users', 'list', filters],
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        api.GET('/api/v1/users', {
          params: { query: { ...filters, limit: 50, ...(pageParam === null ? {} : { cursor: pageParam }) } },
          signal,
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor ?? null,
    placeholderData: keepPreviousData,
  });
}

export function userQuery(userId: string) {
  return queryOptions({
    queryKey: ['users', 'one', userId],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/users/{userId}', { params: { path: { userId } }, signal })),
    refetchInterval: 10_000,
  });
}

/** Everything that is told about users and their servers is asked for again. */
function useRefreshUsers() {
  const client = useQueryClient();
  return () =>
    Promise.all(['users', 'fleet', 'servers', 'license', 'config'].map((key) => client.invalidateQueries({ queryKey: [key] })));
}

export function useCreateUser() {
  const refresh = useRefreshUsers();
  return useMutation({
    mutationFn: (body: CreateUserRequest) => unwrap(api.POST('/api/v1/users', { body })),
    onSuccess: () => void refresh(),
  });
}

export function useUpdateUser(userId: string) {
  const client = useQueryClient();
  const refresh = useRefreshUsers();
  return useMutation({
    mutationFn: (body: UpdateUserRequest) =>
      unwrap(api.PATCH('/api/v1/users/{userId}', { params: { path: { userId } }, body })),
    onSuccess: (user) => {
      client.setQueryData(userQuery(userId).queryKey, user);
      void refresh();
      void client.invalidateQueries({ queryKey: ['me'] });
    },
  });
}

export function useDeleteUser() {
  const client = useQueryClient();
  const refresh = useRefreshUsers();
  return useMutation({
    mutationFn: ({ userId, username }: { userId: string; username: string }) =>
      unwrap(
        api.DELETE('/api/v1/users/{userId}', { params: { path: { userId }, query: { confirmUsername: username } } }),
      ),
    onSuccess: (_, { userId }) => {
      client.removeQueries({ queryKey: userQuery(userId).queryKey });
      void refresh();
    },
  });
}
