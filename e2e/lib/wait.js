// Waiting for something to become true, never for a time to pass.
import { setTimeout as pause } from 'node:timers/promises';

export const PATIENCE_MS = 30_000;

/**
 * Repeats `check` until it no longer throws, and gives what it returned.
 * @template T
 * @param {string} what what is waited for, for the message
 * @param {() => T | Promise<T>} check
 * @param {{ timeout?: number, every?: number }} [options]
 * @returns {Promise<T>}
 */
export async function eventually(what, check, { timeout = PATIENCE_MS, every = 100 } = {}) {
  const end = Date.now() + timeout;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new Error(`not within ${timeout / 1000} s: ${what}\n${reason}`, { cause: error });
      }
    }
    await pause(every);
  }
}
