import { List } from '@mantine/core';
import { useCancelRotation } from '@/api/licenses';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { notifyDone } from '@/lib/notify';

export function CancelRotationDialog({ serverId, opened, onClose }: { serverId: string; opened: boolean; onClose: () => void }) {
  const cancel = useCancelRotation(serverId);
  const close = (): void => {
    cancel.reset();
    onClose();
  };
  return (
    <ConfirmDialog
      opened={opened}
      onClose={close}
      title="Cancel rotation"
      confirmLabel="Cancel rotation"
      cancelLabel="Keep rotating"
      pending={cancel.isPending}
      error={cancel.error}
      onConfirm={() => {
        cancel.mutate(undefined, {
          onSuccess: () => {
            notifyDone('The rotation was cancelled.');
            close();
          },
        });
      }}
    >
      <List size="sm" spacing={6}>
        <List.Item>
          The new key is retired and the present one stays. Traffic is not interrupted: a gateway that was handed the new
          key goes back to the present one.
        </List.Item>
        <List.Item>A gateway that was installed since the rotation began knows only the new key: it stops, and has to be installed again.</List.Item>
      </List>
    </ConfirmDialog>
  );
}
