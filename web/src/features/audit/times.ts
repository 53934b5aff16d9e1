import type { AuditFilters } from '@/api/admin';

/** Both are `datetime-local` values, which are in order as texts. */
export function timesReversed({ from, to }: AuditFilters): boolean {
  return from !== undefined && to !== undefined && from > to;
}
