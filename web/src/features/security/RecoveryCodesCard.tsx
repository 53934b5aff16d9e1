import { Button, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useMakeRecoveryCodes, useRefreshMe } from '@/api/access';
import type { Security } from '@/api/types';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { Fact, Facts } from '@/components/Facts';
import { RelativeTime } from '@/components/RelativeTime';
import { Section } from '@/components/Section';
import { StatusDot } from '@/components/StatusDot';

export function RecoveryCodesCard({ security, onMade }: { security: Security; onMade: (codes: string[]) => void }) {
  const make = useMakeRecoveryCodes();
  const refreshMe = useRefreshMe();
  const [asking, setAsking] = useState(false);
  const { recoveryCodes } = security;
  const has = security.totp !== null || security.passkeys.length > 0;
  const close = (): void => {
    make.reset();
    setAsking(false);
  };
  return (
    <Section title="Recovery codes" hint="For when your phone or your passkey is not at hand.">
      {!has ? (
        <Text size="sm">You get them with your first authenticator app or passkey.</Text>
      ) : (
        <Stack gap="md">
          <Facts>
            <Fact name="Left">
              <StatusDot tone={(recoveryCodes?.left ?? 0) > 2 ? 'ok' : 'warn'} label={`${recoveryCodes?.left ?? 0} of 10`} />
            </Fact>
            <Fact name="Made">
              <RelativeTime at={recoveryCodes?.madeAt} />
            </Fact>
          </Facts>
          <div>
            <Button
              variant="default"
              onClick={() => {
                setAsking(true);
              }}
            >
              Make new codes
            </Button>
          </div>
        </Stack>
      )}
      <ConfirmDialog
        opened={asking}
        onClose={close}
        title="Make new recovery codes"
        confirmLabel="Make new codes"
        pending={make.isPending}
        error={make.error}
        onConfirm={() => {
          make.mutate(undefined, {
            onSuccess: (made) => {
              close();
              void refreshMe();
              onMade(made.recoveryCodes);
            },
          });
        }}
      >
        Ten new codes are made and shown once. The ones that you have now stop working, and your other devices are signed out.
      </ConfirmDialog>
    </Section>
  );
}
