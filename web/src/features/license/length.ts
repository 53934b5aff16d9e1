export const UNIT_SECONDS = {
  days: 86_400,
  hours: 3_600,
  minutes: 60,
  seconds: 1,
} as const;

export type LengthUnit = keyof typeof UNIT_SECONDS;

/** A length that the server takes, in seconds, or why it is none. */
export interface Length {
  seconds: number | null;
  problem: string | null;
}

/** Whole seconds; null for what is no number. */
export function lengthSeconds(amount: number | string, unit: LengthUnit): number | null {
  const number = typeof amount === 'number' ? amount : amount.trim() === '' ? Number.NaN : Number(amount);
  return Number.isFinite(number) ? Math.round(number * UNIT_SECONDS[unit]) : null;
}
