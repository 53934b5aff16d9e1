import { QueryClient } from '@tanstack/react-query';
import { ApiError } from '@/api/problem';

/** A refusal will not change by asking again; an outage may. */
function shouldRetry(failures: number, error: Error): boolean {
  return error instanceof ApiError && (error.status === 0 || error.status >= 500) && failures < 2;
}

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: { retry: shouldRetry, staleTime: 2_000, refetchOnWindowFocus: true },
      mutations: { retry: false },
    },
  });
}
