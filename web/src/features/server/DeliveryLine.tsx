import { Text } from '@mantine/core';
import type { ServerConfig, ServerStatus } from '@/api/types';
import { Notice } from '@/components/Notice';
import { RelativeTime } from '@/components/RelativeTime';

/** Whether what is saved here is what the gateway does. */
export function DeliveryLine({ config, serverStatus }: { config: ServerConfig; serverStatus: ServerStatus }) {
  const { state, reason } = config.delivery;
  if (state === 'NOT_CONFIGURED') return null;
  if (state === 'REJECTED') {
    return (
      <Notice tone="bad" title="Rejected: the gateway refused this configuration" urgent={false}>
        {reason && <div>Reason: {reason}</div>}
        It goes on with the last configuration it accepted.
      </Notice>
    );
  }
  const saved = (
    <>
      Saved <RelativeTime at={config.updatedAt} none="earlier" />.{' '}
    </>
  );
  return (
    <Text size="sm" c="dimmed" role="status">
      {saved}
      {state === 'APPLIED'
        ? 'The gateway has applied it.'
        : serverStatus === 'ONLINE'
          ? 'The gateway applies it at its next heartbeat.'
          : 'The gateway applies it when it next sends a heartbeat.'}
    </Text>
  );
}
