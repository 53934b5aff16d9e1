export const LIMIT_UNITS = {
  minutes: 60,
  hours: 3_600,
  days: 86_400,
} as const;

export type LimitUnit = keyof typeof LIMIT_UNITS;

/** 5 minutes to 30 days, as the server allows. */
export const LIMIT_MIN_SECONDS = 300;
export const LIMIT_MAX_SECONDS = 2_592_000;

export interface RotationLimit {
  seconds: number | null;
  problem: string | null;
}

export function rotationLimit(amount: number | string, unit: LimitUnit): RotationLimit {
  const number = typeof amount === 'number' ? amount : amount.trim() === '' ? Number.NaN : Number(amount);
  if (!Number.isFinite(number)) return { seconds: null, problem: 'Enter a length.' };
  const seconds = Math.round(number * LIMIT_UNITS[unit]);
  if (seconds < LIMIT_MIN_SECONDS) return { seconds: null, problem: 'At least 5 minutes: a few heartbeats.' };
  if (seconds > LIMIT_MAX_SECONDS) return { seconds: null, problem: 'At most 30 days are possible.' };
  return { seconds, problem: null };
}
