import { List } from '@mantine/core';
import { useRegenerateLicense } from '@/api/licenses';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { notifyDone } from '@/lib/notify';
import { licenseError } from './conflict';
import type { LicenseDialogProps } from './LicenseActions';

export function RegenerateDialog({ opened, onClose, license, username, installed }: LicenseDialogProps) {
  const regenerate = useRegenerateLicense(license.serverId);
  const close = (): void => {
    regenerate.reset();
    onClose();
  };
  return (
    <ConfirmDialog
      opened={opened}
      onClose={close}
      title="Regenerate license key"
      confirmLabel="Regenerate key"
      danger
      typed={{ value: username, what: 'username' }}
      pending={regenerate.isPending}
      error={licenseError(regenerate.error)}
      onConfirm={() => {
        regenerate.mutate(undefined, {
          onSuccess: () => {
            notifyDone('A new license key was issued.');
            close();
          },
        });
      }}
    >
      <List size="sm" spacing={6}>
        <List.Item>A fresh key replaces the present one at once. The old key cannot be brought back.</List.Item>
        {license.rotation !== null && <List.Item>The rotation ends, and the key that it hands over is retired as well.</List.Item>}
        {installed ? (
          <>
            <List.Item>
              <b>Traffic stops:</b> at its next heartbeat the gateway learns that its key was
              retired and shuts down. Visitors get “connection refused”.
            </List.Item>
            <List.Item>It stays stopped until Install is run again with the new key.</List.Item>
          </>
        ) : (
          <List.Item>No gateway is installed on this key yet, so no traffic is affected.</List.Item>
        )}
      </List>
    </ConfirmDialog>
  );
}
