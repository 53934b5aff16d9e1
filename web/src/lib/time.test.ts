import { describe, expect, it } from 'vitest';
import { duration, exactUtc, relativeTime, spokenUtc, ticking, utcFromLocalInput } from './time';

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

describe('durations', () => {
  it.each([
    [-5, '< 0.1 s'],
    [40, '< 0.1 s'],
    [420, '0.4 s'],
    [999, '1 s'],
    [12_400, '12 s'],
    [59_700, '1 min 00 s'],
    [65_000, '1 min 05 s'],
    [3_600_000, '1 h 00 min'],
    [7_380_000, '2 h 03 min'],
  ])('%i ms is "%s"', (ms, expected) => {
    expect(duration(ms)).toBe(expected);
  });

  it('ticks in whole seconds that have passed', () => {
    expect([ticking(-300), ticking(1_999), ticking(59_999), ticking(60_000)]).toEqual(['1 s', '1 s', '59 s', '1 min 00 s']);
  });
});
