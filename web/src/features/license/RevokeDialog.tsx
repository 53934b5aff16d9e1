import { Group, List, NativeSelect, NumberInput, Stack } from '@mantine/core';
import { useState } from 'react';
import { useRevokeLicense } from '@/api/licenses';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { useNow } from '@/lib/clock';
import { notifyDone } from '@/lib/notify';
import { spokenUtc } from '@/lib/time';
import { licenseError } from './conflict';
import { GRACE_UNITS, graceLength, type GraceUnit } from './grace';
import type { LicenseDialogProps } from './LicenseActions';

const UNITS = Object.keys(GRACE_UNITS) as GraceUnit[];

export function RevokeDialog({ opened, onClose, license }: LicenseDialogProps) {
  const revoke = useRevokeLicense(license.serverId);
  const [amount, setAmount] = useState<number | string>(license.defaultGraceDays);
  const [unit, setUnit] = useState<GraceUnit>('days');
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
        <Group gap="xs" align="flex-start" wrap="nowrap">
          <NumberInput
            label="Grace length"
            value={amount}
            onChange={setAmount}
            min={0}
            decimalScale={2}
            hideControls
            error={length.problem}
            style={{ flex: 1 }}
            data-autofocus
          />
          <NativeSelect
            label="Unit"
            data={UNITS}
            value={unit}
            onChange={(event) => {
              setUnit(event.currentTarget.value as GraceUnit);
            }}
          />
        </Group>
        {length.seconds !== null && <WhatHappens end={new Date(now + length.seconds * 1000).toISOString()} none={length.seconds === 0} />}
      </Stack>
    </ConfirmDialog>
  );
}

function WhatHappens({ end, none }: { end: string; none: boolean }) {
  if (none) {
    return (
      <List size="sm" spacing={6}>
        <List.Item>
          <b>There is no grace period:</b> the gateway stops at its next heartbeat, within about a minute, and visitors
          get “connection refused”.
        </List.Item>
        <List.Item>Reinstate brings service back within a minute.</List.Item>
      </List>
    );
  }
  return (
    <List size="sm" spacing={6}>
      <List.Item>
        Traffic flows normally until <b>{spokenUtc(end)}</b>. The customer sees a banner with that date.
      </List.Item>
      <List.Item>
        After that the gateway stops at its next heartbeat, within about a minute, and visitors get “connection
        refused”.
      </List.Item>
      <List.Item>Reinstate ends this at any time, also afterwards.</List.Item>
    </List>
  );
}
