import { ActionIcon, Group, Tooltip } from '@mantine/core';
import { useState } from 'react';
import { useRevealKey } from '@/api/licenses';
import { CopyButton } from '@/components/CopyButton';
import { Icon } from '@/components/Icon';
import { notifyFailed } from '@/lib/notify';

/** The plaintext lives in this component alone and goes when it is hidden. */
export function KeyField({ serverId, maskedKey }: { serverId: string; maskedKey: string }) {
  const reveal = useRevealKey(serverId);
  const [key, setKey] = useState<string | null>(null);

  const fetchKey = async (): Promise<string> => (await reveal.mutateAsync()).apiKey;

  const toggle = async (): Promise<void> => {
    if (key !== null) {
      setKey(null);
      return;
    }
    try {
      setKey(await fetchKey());
    } catch (error) {
      notifyFailed('The key could not be revealed', error);
    }
  };

  return (
    <Group gap={2} wrap="nowrap">
      <span className="mono" style={{ marginInlineEnd: 6 }}>
        {key ?? maskedKey}
      </span>
      <Tooltip label={key === null ? 'Reveal. Written to the audit log.' : 'Hide'}>
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={key === null ? 'Reveal license key' : 'Hide license key'}
          onClick={toggle}
          loading={reveal.isPending}
        >
          <Icon name={key === null ? 'eye' : 'eyeOff'} size={15} />
        </ActionIcon>
      </Tooltip>
      <CopyButton
        label="Copy license key"
        value={key ?? fetchKey}
        onError={(error) => {
          notifyFailed('The key could not be copied', error);
        }}
      />
    </Group>
  );
}
