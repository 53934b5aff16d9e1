import { useReinstateLicense } from '@/api/licenses';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { notifyDone } from '@/lib/notify';
import { licenseError } from './conflict';
import type { LicenseDialogProps } from './LicenseActions';

export function ReinstateDialog({ opened, onClose, license }: LicenseDialogProps) {
  const reinstate = useReinstateLicense(license.serverId);
  const close = (): void => {
    reinstate.reset();
    onClose();
  };
  return (
    <ConfirmDialog
      opened={opened}
      onClose={close}
      title="Reinstate license"
      confirmLabel="Reinstate license"
      pending={reinstate.isPending}
      error={licenseError(reinstate.error)}
      disabled={license.status === 'ACTIVE'}
      onConfirm={() => {
        reinstate.mutate(undefined, {
          onSuccess: () => {
            notifyDone('The license is ACTIVE again.');
            close();
          },
        });
      }}
    >
      The license becomes ACTIVE again and the grace period ends without consequence.{' '}
      {license.status === 'EXPIRED'
        ? 'A gateway that was stopped by its license resumes service as soon as it next asks this dashboard.'
        : 'Traffic goes on without interruption, and the customer no longer sees the grace banner.'}
    </ConfirmDialog>
  );
}
