import { USER_SORTS, type UserFilters } from '@/api/users';
import type { AuditFilters } from '@/api/admin';
import type { EndpointKind } from '@/api/types';
import { LICENSE_OPTIONS, ROLE_OPTIONS, SERVER_STATUS_OPTIONS } from '@/lib/words';

type Raw = Record<string, unknown>;

function text(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function oneOf<T extends string>(value: unknown, allowed: readonly T[]): T | undefined {
  return allowed.find((option) => option === value);
}

/** Keys without a value are left out, so that addresses stay short. */
function compact<T extends object>(search: T): T {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined)) as T;
}

const values = <T extends string>(options: { value: T }[]): T[] => options.map((option) => option.value);

export function usersSearch(raw: Raw): UserFilters {
  return compact({
    search: text(raw.search),
    role: oneOf(raw.role, values(ROLE_OPTIONS)),
    licenseStatus: oneOf(raw.licenseStatus, values(LICENSE_OPTIONS)),
    serverStatus: oneOf(raw.serverStatus, values(SERVER_STATUS_OPTIONS)),
    sort: oneOf(raw.sort, USER_SORTS),
  });
}

export function auditSearch(raw: Raw): AuditFilters {
  return compact({
    action: text(raw.action),
    actor: text(raw.actor),
    target: text(raw.target),
    outcome: oneOf(raw.outcome, ['SUCCESS', 'FAILURE']),
    from: text(raw.from),
    to: text(raw.to),
  });
}

export interface LoginSearch {
  /** Where somebody wanted to go; judged again before it is used. */
  redirect?: string;
  ended?: boolean;
}

export function loginSearch(raw: Raw): LoginSearch {
  return compact({ redirect: text(raw.redirect), ended: raw.ended === true ? true : undefined });
}

export function enrollSearch(raw: Raw): { redirect?: string } {
  return compact({ redirect: text(raw.redirect) });
}

export function endpointKindSearch(raw: Raw): { kind: EndpointKind } {
  return { kind: oneOf<EndpointKind>(raw.kind, ['WEBHOOK', 'EMAIL']) ?? 'WEBHOOK' };
}
