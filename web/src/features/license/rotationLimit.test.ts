import { describe, expect, it } from 'vitest';
import { rotationLimit } from './rotationLimit';

describe('rotationLimit', () => {
  it('converts every unit to seconds', () => {
    expect(rotationLimit(1, 'days').seconds).toBe(86_400);
    expect(rotationLimit('2.5', 'hours').seconds).toBe(9_000);
    expect(rotationLimit(5, 'minutes').seconds).toBe(300);
  });

  it('accepts 5 minutes to 30 days and no more', () => {
    expect(rotationLimit(30, 'days').seconds).toBe(2_592_000);
    expect(rotationLimit(31, 'days')).toMatchObject({ seconds: null, problem: 'Use at most 30 days.' });
    expect(rotationLimit(4, 'minutes')).toMatchObject({ seconds: null, problem: 'At least 5 minutes: a few heartbeats.' });
    expect(rotationLimit('', 'hours').problem).not.toBeNull();
    expect(rotationLimit(-1, 'hours').problem).not.toBeNull();
  });
});
