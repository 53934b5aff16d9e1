import { lengthSeconds, type Length, type LengthUnit } from './length';

export const LIMIT_UNITS = ['minutes', 'hours', 'days'] as const;

/** 5 minutes to 30 days, as the server allows. */
export const LIMIT_MIN_SECONDS = 300;
export const LIMIT_MAX_SECONDS = 2_592_000;

export function rotationLimit(amount: number | string, unit: LengthUnit): Length {
  const seconds = lengthSeconds(amount, unit);
  if (seconds === null) return { seconds: null, problem: 'Enter a length.' };
  if (seconds < LIMIT_MIN_SECONDS) return { seconds: null, problem: 'At least 5 minutes: a few heartbeats.' };
  if (seconds > LIMIT_MAX_SECONDS) return { seconds: null, problem: 'Use at most 30 days.' };
  return { seconds, problem: null };
}
