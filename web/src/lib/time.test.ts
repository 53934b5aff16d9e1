import { describe, expect, it } from 'vitest';
import { exactUtc, relativeTime, spokenUtc, utcFromLocalInput } from './time';

const NOW = Date.parse('2025-11-21T20:30:15Z');

describe('relativeTime', () => {
  it.each([
    ['2025-11-21T20:30:14Z', 'just now'],
    ['2025-11-21T20:29:33Z', '42 s ago'],
    ['2025-11-21T20:25:15Z', '5 min ago'],
    ['2025-11-21T17:30:15Z', '3 h ago'],
    ['2025-11-20T20:00:00Z', '1 day ago'],
    ['2025-11-11T20:30:15Z', '10 days ago'],
    ['2025-11-25T21:30:15Z', 'in 4 days'],
    ['2025-11-21T20:31:15Z', 'in 1 min'],
    ['2025-11-21T22:30:14.600+02:00', 'just now'],
  ])('%s is "%s"', (iso, expected) => {
    expect(relativeTime(iso, NOW)).toBe(expected);
  });

  it('shows what it cannot read', () => {
    expect(relativeTime('soon', NOW)).toBe('soon');
  });
});

describe('exact times', () => {
  it('are UTC wherever the reader sits', () => {
    expect(exactUtc('2025-11-21T22:30:15.123+02:00')).toBe('2025-11-21 20:30:15 UTC');
    expect(spokenUtc('2025-11-26T00:05:00+01:00')).toBe('25 Nov 2025, 23:05 UTC');
  });

  it('reads a datetime-local value as UTC', () => {
    expect(utcFromLocalInput('2025-11-21T20:30')).toBe('2025-11-21T20:30:00.000Z');
    expect(utcFromLocalInput('2025-13-40T20:30')).toBeUndefined();
    expect(utcFromLocalInput('yesterday')).toBeUndefined();
    expect(utcFromLocalInput(undefined)).toBeUndefined();
  });
});
