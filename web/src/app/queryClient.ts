import { QueryClient } from '@tanstack/react-query';
import { isOutage } from '@/api/problem';

const AGAIN_MS = 5_000;

/** A refusal will not change by asking again; an outage may. */
function shouldRetry(failures: number, error: Error): boolean {
  return isOutage(error) && failures < 2;
}

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        retry: shouldRetry,
        staleTime: 2_000,
        refetchOnWindowFocus: true,
        // What failed for an outage comes by itself when that is over.
        refetchInterval: ({ state }) => (isOutage(state.error) ? AGAIN_MS : false),
        // The dashboard may be in one's own network: only an attempt tells whether it is reached.
        networkMode: 'always',
      },
      mutations: { retry: false, networkMode: 'always' },
    },
  });
}
