import type { LicenseStatus } from '@/api/types';
import { LICENSE_TONE } from '@/lib/words';
import classes from './LicenseBadge.module.css';
import { StatusDot } from './StatusDot';

export function LicenseBadge({ status }: { status: LicenseStatus }) {
  return (
    <span className={classes.badge}>
      <StatusDot tone={LICENSE_TONE[status]} label={status} />
    </span>
  );
}
