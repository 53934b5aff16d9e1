import { describe, expect, it } from 'vitest';
import { DELIVERY_STATES, deliveryState } from './words';

describe('deliveryState', () => {
  it('speaks the words of the filter, also of one that is tried again', () => {
    const again = deliveryState({ state: 'WAITING', attempts: 3 });
    expect(DELIVERY_STATES.map(({ label }) => label)).toContain(again.label);
    expect(again.tone).not.toBe(deliveryState({ state: 'WAITING', attempts: 0 }).tone);
  });
});
