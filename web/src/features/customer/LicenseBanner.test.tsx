import { screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { LicenseBrief } from '@/api/types';
import { show } from '@/test/render';
import { LicenseBanner } from './LicenseBanner';

async function banner(license: LicenseBrief): Promise<string> {
  await show(<LicenseBanner license={license} />);
  return screen.getByTestId('page').textContent;
}

describe('LicenseBanner', () => {
  it('names the date while in grace', async () => {
    const text = await banner({ status: 'GRACE', graceExpiresAt: '2025-11-26T20:30:00Z' });
    expect(text).toMatch(/^License in grace period\. Service will stop on 26 Nov 2025, 20:30 UTC\. Contact your provider/);
  });

  it('says plainly that the license expired', async () => {
    expect(await banner({ status: 'EXPIRED', graceExpiresAt: null })).toMatch(/^License expired\. /);
    expect(screen.getByRole('alert')).toBeInTheDocument();
  });

  it('is absent while all is well', async () => {
    expect(await banner({ status: 'ACTIVE', graceExpiresAt: null })).toBe('');
  });
});
