import { useSyncExternalStore } from 'react';

interface Clock {
  subscribe: (listener: () => void) => () => void;
  now: () => number;
}

/** One shared tick for all who listen; it rests while nobody does, and while the page is hidden. */
function makeClock(stepMs: number): Clock {
  const listeners = new Set<() => void>();
  let now = Date.now();
  let timer: number | undefined;

  function tick(): void {
    if (document.hidden) return;
    now = Date.now();
    listeners.forEach((listener) => {
      listener();
    });
  }

  function subscribe(listener: () => void): () => void {
    if (listeners.size === 0) {
      now = Date.now();
      timer = window.setInterval(tick, stepMs);
      document.addEventListener('visibilitychange', tick);
    }
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) {
        window.clearInterval(timer);
        document.removeEventListener('visibilitychange', tick);
      }
    };
  }

  return { subscribe, now: () => now };
}

const calm = makeClock(5_000);
const brisk = makeClock(1_000);

/** For relative times: moves every five seconds. */
export function useNow(): number {
  return useSyncExternalStore(calm.subscribe, calm.now);
}

/** For what is under way: moves every second. */
export function useSecond(): number {
  return useSyncExternalStore(brisk.subscribe, brisk.now);
}
