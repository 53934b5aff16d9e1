import { Button, Group } from '@mantine/core';
import { useState } from 'react';
import type { License } from '@/api/types';
import { RegenerateDialog } from './RegenerateDialog';
import { ReinstateDialog } from './ReinstateDialog';
import { RevokeDialog } from './RevokeDialog';
import { RotateDialog } from './RotateDialog';

interface LicenseActionsProps {
  license: License;
  username: string;
  /** Whether a gateway may be running on this key. */
  installed: boolean;
}

export function LicenseActions({ license, username, installed }: LicenseActionsProps) {
  const [open, setOpen] = useState<'rotate' | 'regenerate' | 'revoke' | 'reinstate' | null>(null);
  const dialog = (name: NonNullable<typeof open>) => ({
    opened: open === name,
    onClose: () => {
      setOpen(null);
    },
    license,
    username,
    installed,
  });

  return (
    <>
      <Group gap="xs">
        <Button
          variant="default"
          disabled={license.rotation !== null}
          onClick={() => {
            setOpen('rotate');
          }}
        >
          Rotate
        </Button>
        <Button
          variant="default"
          onClick={() => {
            setOpen('regenerate');
          }}
        >
          Regenerate
        </Button>
        <Button
          variant="default"
          disabled={license.status !== 'ACTIVE'}
          onClick={() => {
            setOpen('revoke');
          }}
        >
          Revoke
        </Button>
        <Button
          variant="default"
          disabled={license.status === 'ACTIVE'}
          onClick={() => {
            setOpen('reinstate');
          }}
        >
          Reinstate
        </Button>
      </Group>
      <RotateDialog {...dialog('rotate')} />
      <RegenerateDialog {...dialog('regenerate')} />
      <RevokeDialog {...dialog('revoke')} />
      <ReinstateDialog {...dialog('reinstate')} />
    </>
  );
}

export interface LicenseDialogProps {
  opened: boolean;
  onClose: () => void;
  license: License;
  username: string;
  installed: boolean;
}
