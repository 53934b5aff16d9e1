import { Button, Group, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useRefreshMe, useRemoveTotp } from '@/api/access';
import type { Security } from '@/api/types';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { Fact, Facts } from '@/components/Facts';
import { RelativeTime } from '@/components/RelativeTime';
import { Section } from '@/components/Section';
import { StatusDot } from '@/components/StatusDot';
import { notifyDone } from '@/lib/notify';

export function AuthenticatorCard({ security, onSetUp }: { security: Security; onSetUp: () => void }) {
  const remove = useRemoveTotp();
  const refreshMe = useRefreshMe();
  const [removing, setRemoving] = useState(false);
  const { totp } = security;
  const close = (): void => {
    remove.reset();
    setRemoving(false);
  };
  return (
    <Section title="Authenticator app" hint="A six-digit code from your phone, after your password.">
      <Stack gap="md">
        {totp === null ? (
          <Text size="sm">Not set up.</Text>
        ) : (
          <Facts>
            <Fact name="State">
              <StatusDot tone="ok" label="On" />
            </Fact>
            <Fact name="Added">
              <RelativeTime at={totp.createdAt} />
            </Fact>
            <Fact name="Last used">
              <RelativeTime at={totp.lastUsedAt} />
            </Fact>
          </Facts>
        )}
        <Group gap="xs">
          <Button variant="default" onClick={onSetUp}>
            {totp === null ? 'Set up' : 'Replace'}
          </Button>
          {totp !== null && (
            <Button
              variant="default"
              onClick={() => {
                setRemoving(true);
              }}
            >
              Remove
            </Button>
          )}
        </Group>
      </Stack>
      <ConfirmDialog
        opened={removing}
        onClose={close}
        title="Remove the authenticator app"
        confirmLabel="Remove"
        danger
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() => {
          remove.mutate(undefined, {
            onSuccess: () => {
              notifyDone('The authenticator app was removed. Other devices were signed out.');
              void refreshMe();
              close();
            },
          });
        }}
      >
        Its codes stop working at once, and your other devices are signed out.
        {security.passkeys.length === 0 && ' From then on your password alone signs you in, and your recovery codes end.'}
      </ConfirmDialog>
    </Section>
  );
}
