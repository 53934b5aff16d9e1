import type { ServerStatus } from '@/api/types';
import { useHeardAt } from '@/components/HeardAt';
import { clockUtc } from '@/lib/time';

const MEANING: Record<ServerStatus, string> = {
  NOT_INSTALLED: 'No gateway has reported from your server yet.',
  INSTALLING: 'The gateway is being installed.',
  ONLINE: 'The gateway is running and sends its heartbeats.',
  OFFLINE: 'The gateway has missed its last heartbeats, or its ports are closed. It may still be serving: check the machine and its network.',
  STOPPED_BY_LICENSE: 'The gateway does not accept visitors because its license has expired.',
  KEY_RETIRED: 'The gateway’s license key was retired. It stops as soon as it hears of that, and serves again once it is installed again.',
};

export function StatusMeaning({ status }: { status: ServerStatus }) {
  const heardAt = useHeardAt();
  if (heardAt !== null) return <>The dashboard does not answer: this was the state at {clockUtc(heardAt)}.</>;
  return <>{MEANING[status]}</>;
}
