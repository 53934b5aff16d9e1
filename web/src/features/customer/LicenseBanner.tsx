import type { LicenseBrief } from '@/api/types';
import { Notice } from '@/components/Notice';
import { spokenUtc } from '@/lib/time';

export function LicenseBanner({ license }: { license: LicenseBrief }) {
  if (license.status === 'EXPIRED') {
    return (
      <Notice tone="bad">
        <b>License expired.</b>
        {' Your gateway does not accept visitors. Contact your provider to resume service.'}
      </Notice>
    );
  }
  if (license.status === 'GRACE' && license.graceExpiresAt) {
    return (
      <Notice tone="warn">
        <b>{`License in grace period. Service will stop on ${spokenUtc(license.graceExpiresAt)}.`}</b>
        {' Contact your provider to keep your gateway running.'}
      </Notice>
    );
  }
  return null;
}
