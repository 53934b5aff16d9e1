import { lengthSeconds, type Length, type LengthUnit } from './length';

export const GRACE_UNITS = ['days', 'hours', 'minutes', 'seconds'] as const;

/** 366 days, as the server allows. */
export const GRACE_MAX_SECONDS = 31_622_400;

export function graceLength(amount: number | string, unit: LengthUnit): Length {
  const seconds = lengthSeconds(amount, unit);
  if (seconds === null || seconds < 0) return { seconds: null, problem: 'Enter a length of zero or more.' };
  if (seconds > GRACE_MAX_SECONDS) return { seconds: null, problem: 'Use at most 366 days.' };
  return { seconds, problem: null };
}
