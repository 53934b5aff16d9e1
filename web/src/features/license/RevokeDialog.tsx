import { List, Stack } from '@mantine/core';
import { useState } from 'react';
import { useRevokeLicense } from '@/api/licenses';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { useNow } from '@/lib/clock';
import { notifyDone } from '@/lib/notify';
import { spokenUtc } from '@/lib/time';
import { licenseError } from './conflict';
import { GRACE_UNITS, graceLength } from './grace';
import type { LengthUnit } from './length';
import { LengthFields } from './LengthFields';
import type { LicenseDialogProps } from './LicenseActions';

export function RevokeDialog({ opened, onClose, license }: LicenseDialogProps) {
  const revoke = useRevokeLicense(license.serverId);
  const [amount, setAmount] = useState<number | string>(license.defaultGraceDays);
  const [unit, setUnit] = useState<LengthUnit>('days');
  const now = useNow();
  const length = graceLength(amount, unit);

  const close = (): void => {
    revoke.reset();
    onClose();
    setAmount(license.defaultGraceDays);
    setUnit('days');
  };

  return (
    <ConfirmDialog
      opened={opened}
      onClose={close}
      title="Revoke license"
      confirmLabel="Revoke license"
      danger
      disabled={length.seconds === null || license.status !== 'ACTIVE'}
      pending={revoke.isPending}
      error={licenseError(revoke.error)}
      onConfirm={() => {
        if (length.seconds === null) return;
        revoke.mutate(length.seconds, {
          onSuccess: () => {
            notifyDone('The license was revoked.');
            close();
          },
        });
      }}
    >
      <Stack gap="md">
        <LengthFields
          label="Grace length"
          units={GRACE_UNITS}
          amount={amount}
          unit={unit}
          problem={length.problem}
          onAmount={setAmount}
          onUnit={setUnit}
        />
        <WhatHappens
          end={length.seconds === null ? null : new Date(now + length.seconds * 1000).toISOString()}
          none={length.seconds === 0}
        />
      </Stack>
    </ConfirmDialog>
  );
}

/** `end` is null while what was typed is no length. */
function WhatHappens({ end, none }: { end: string | null; none: boolean }) {
  if (none) {
    return (
      <List size="sm" spacing={6}>
        <List.Item>
          <b>There is no grace period:</b> the gateway stops at its next heartbeat, and visitors
          get “connection refused”.
        </List.Item>
        <List.Item>Reinstate brings service back as soon as the gateway next asks.</List.Item>
      </List>
    );
  }
  return (
    <List size="sm" spacing={6}>
      <List.Item>
        Traffic flows normally until <b>{end === null ? 'the grace period ends' : spokenUtc(end)}</b>. The customer sees a banner with
        that date.
      </List.Item>
      <List.Item>
        After that the gateway stops at its next heartbeat, and visitors get “connection
        refused”.
      </List.Item>
      <List.Item>Reinstate ends this at any time, also afterwards.</List.Item>
    </List>
  );
}
