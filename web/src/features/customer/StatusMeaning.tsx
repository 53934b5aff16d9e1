import type { ServerStatus } from '@/api/types';

const MEANING: Record<ServerStatus, string> = {
  NOT_INSTALLED: 'No gateway has reported from your server yet.',
  INSTALLING: 'The gateway is being installed.',
  ONLINE: 'The gateway is running and reports every minute.',
  OFFLINE: 'The gateway has not reported for a few minutes. It may still be serving: check the machine and its network.',
  STOPPED_BY_LICENSE: 'The gateway does not accept visitors because its license has expired.',
};

export function StatusMeaning({ status }: { status: ServerStatus }) {
  return <>{MEANING[status]}</>;
}
