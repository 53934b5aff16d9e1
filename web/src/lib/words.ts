import type { AttentionItem, LicenseStatus, Role, ServerConfig, ServerStatus } from '@/api/types';

export type Tone = 'ok' | 'warn' | 'bad' | 'busy' | 'idle';

export const SERVER_STATUS: Record<ServerStatus, { label: string; tone: Tone }> = {
  NOT_INSTALLED: { label: 'Not installed', tone: 'idle' },
  INSTALLING: { label: 'Installing', tone: 'busy' },
  ONLINE: { label: 'Online', tone: 'ok' },
  OFFLINE: { label: 'Offline', tone: 'bad' },
  STOPPED_BY_LICENSE: { label: 'Stopped by license', tone: 'warn' },
  KEY_RETIRED: { label: 'Stopped: key retired', tone: 'bad' },
};

export const LICENSE_TONE: Record<LicenseStatus, Tone> = { ACTIVE: 'ok', GRACE: 'warn', EXPIRED: 'bad' };

export const ROLE_LABEL: Record<Role, string> = { CUSTOMER: 'Customer', ADMIN: 'Admin' };

export const ATTENTION: Record<AttentionItem['kind'], { label: string; tone: Tone }> = {
  OFFLINE: { label: 'Offline', tone: 'bad' },
  GRACE_ENDING: { label: 'Grace ending', tone: 'warn' },
  STOPPED_BY_LICENSE: { label: 'Stopped by license', tone: 'warn' },
  KEY_RETIRED: { label: 'Stopped: key retired', tone: 'bad' },
  KEY_IN_USE_ON_SEVERAL_HOSTS: { label: 'Key in use on several hosts', tone: 'bad' },
  CONFIG_REJECTED: { label: 'Configuration rejected', tone: 'bad' },
};

export const DELIVERY: Record<ServerConfig['delivery']['state'], { label: string; tone: Tone }> = {
  NOT_CONFIGURED: { label: 'Not configured', tone: 'idle' },
  PENDING: { label: 'Pending', tone: 'busy' },
  APPLIED: { label: 'Applied', tone: 'ok' },
  REJECTED: { label: 'Rejected', tone: 'bad' },
};

function options<K extends string>(entries: Record<K, string>): { value: K; label: string }[] {
  return (Object.keys(entries) as K[]).map((value) => ({ value, label: entries[value] }));
}

export const ROLE_OPTIONS = options(ROLE_LABEL);
export const LICENSE_OPTIONS = options<LicenseStatus>({ ACTIVE: 'ACTIVE', GRACE: 'GRACE', EXPIRED: 'EXPIRED' });
export const SERVER_STATUS_OPTIONS = (Object.keys(SERVER_STATUS) as ServerStatus[]).map((value) => ({
  value,
  label: SERVER_STATUS[value].label,
}));
