import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';

/** For admins. */
export const keysQuery = queryOptions({
  queryKey: ['keys'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/v1/keys', { signal })),
  refetchInterval: 60_000,
  staleTime: 30_000,
});
