import { useState } from 'react';
import { ApiError } from '@/api/problem';
import { useSecond } from './clock';

/** How long to wait before trying again, in seconds, when there were too many tries; null otherwise. */
export function retryAfterSeconds(error: unknown): number | null {
  if (!(error instanceof ApiError) || error.status !== 429) return null;
  const told = (error.problem as { retryAfterSeconds?: unknown } | null)?.retryAfterSeconds;
  return typeof told === 'number' && told > 0 ? Math.min(told, 86_400) : 30;
}

/** Counts down after an answer that there were too many tries. */
export function useThrottle(): { left: number; note: (error: unknown) => boolean } {
  const [wait, setWait] = useState({ until: 0, ms: 0 });
  const now = useSecond();
  return {
    /** Milliseconds; 0 when one may try. */
    left: Math.max(0, Math.min(wait.until - now, wait.ms)),
    note: (error) => {
      const seconds = retryAfterSeconds(error);
      if (seconds !== null) setWait({ until: Date.now() + seconds * 1_000, ms: seconds * 1_000 });
      return seconds !== null;
    },
  };
}
