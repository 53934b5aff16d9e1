import { List, Stack } from '@mantine/core';
import { useState } from 'react';
import { useRotateLicense } from '@/api/licenses';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { useNow } from '@/lib/clock';
import { notifyDone } from '@/lib/notify';
import { spokenUtc } from '@/lib/time';
import type { LicenseDialogProps } from './LicenseActions';
import { UNIT_SECONDS, type LengthUnit } from './length';
import { LengthFields } from './LengthFields';
import { LIMIT_UNITS, rotationLimit } from './rotationLimit';

export function RotateDialog({ opened, onClose, license, installed }: LicenseDialogProps) {
  const rotate = useRotateLicense(license.serverId);
  const initial = license.defaultRotationLimitSeconds / UNIT_SECONDS.hours;
  const [amount, setAmount] = useState<number | string>(initial);
  const [unit, setUnit] = useState<LengthUnit>('hours');
  const now = useNow();
  const limit = rotationLimit(amount, unit);

  const close = (): void => {
    rotate.reset();
    onClose();
    setAmount(initial);
    setUnit('hours');
  };

  return (
    <ConfirmDialog
      opened={opened}
      onClose={close}
      title="Rotate license key"
      confirmLabel="Rotate key"
      disabled={limit.seconds === null || license.rotation !== null}
      pending={rotate.isPending}
      error={rotate.error}
      onConfirm={() => {
        if (limit.seconds === null) return;
        rotate.mutate(limit.seconds, {
          onSuccess: () => {
            notifyDone('The rotation has started.');
            close();
          },
        });
      }}
    >
      <Stack gap="md">
        <LengthFields
          label="Time limit"
          units={LIMIT_UNITS}
          amount={amount}
          unit={unit}
          problem={limit.problem}
          onAmount={setAmount}
          onUnit={setUnit}
        />
        <WhatHappens end={limit.seconds === null ? null : new Date(now + limit.seconds * 1000).toISOString()} installed={installed} />
      </Stack>
    </ConfirmDialog>
  );
}

/** `end` is null while what was typed is no length. */
function WhatHappens({ end, installed }: { end: string | null; installed: boolean }) {
  return (
    <List size="sm" spacing={6}>
      {installed ? (
        <List.Item>
          <b>Traffic is not interrupted:</b> the running gateway is handed a new key with its next heartbeat, and uses it from then on.
        </List.Item>
      ) : (
        <List.Item>No gateway is installed on this key yet. One that is installed in the meantime gets the new key.</List.Item>
      )}
      <List.Item>
        The old key ends as soon as the new one is used; at the latest {end === null ? <b>when the time limit has passed</b> : <>on <b>{spokenUtc(end)}</b></>}.
      </List.Item>
      <List.Item>
        A gateway that is off until then never gets the new key: it stops, and has to be installed again.
        Choose a limit that is longer than any outage you expect.
      </List.Item>
    </List>
  );
}
