import { describe, expect, it } from 'vitest';
import { graceLength } from './grace';

describe('graceLength', () => {
  it('converts every unit to seconds', () => {
    expect(graceLength(5, 'days').seconds).toBe(432_000);
    expect(graceLength(2, 'hours').seconds).toBe(7_200);
    expect(graceLength('3', 'minutes').seconds).toBe(180);
    expect(graceLength(0, 'seconds').seconds).toBe(0);
  });

  it('accepts 366 days and no more', () => {
    expect(graceLength(366, 'days').seconds).toBe(31_622_400);
    expect(graceLength(367, 'days')).toMatchObject({ seconds: null });
    expect(graceLength('', 'days').problem).not.toBeNull();
    expect(graceLength(-1, 'days').problem).not.toBeNull();
  });
});
