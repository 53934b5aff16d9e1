export const GRACE_UNITS = {
  days: 86_400,
  hours: 3_600,
  minutes: 60,
  seconds: 1,
} as const;

export type GraceUnit = keyof typeof GRACE_UNITS;

/** 366 days, as the server allows. */
export const GRACE_MAX_SECONDS = 31_622_400;

export interface GraceLength {
  seconds: number | null;
  problem: string | null;
}

export function graceLength(amount: number | string, unit: GraceUnit): GraceLength {
  const number = typeof amount === 'number' ? amount : amount.trim() === '' ? Number.NaN : Number(amount);
  if (!Number.isFinite(number) || number < 0) return { seconds: null, problem: 'Enter a length of zero or more.' };
  const seconds = Math.round(number * GRACE_UNITS[unit]);
  if (seconds > GRACE_MAX_SECONDS) return { seconds: null, problem: 'At most 366 days are possible.' };
  return { seconds, problem: null };
}
