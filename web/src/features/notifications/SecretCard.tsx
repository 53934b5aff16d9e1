import { Button, Group, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useEndpointSecret } from '@/api/notifications';
import type { Endpoint, EndpointSecret } from '@/api/types';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { CopyButton } from '@/components/CopyButton';
import { Fact, Facts } from '@/components/Facts';
import { RelativeTime } from '@/components/RelativeTime';
import { Section } from '@/components/Section';
import { notifyDone, notifyFailed } from '@/lib/notify';
import classes from './notifications.module.css';

/** The plaintext lives in this component alone and goes when it is hidden. */
export function SecretCard({ endpoint }: { endpoint: Endpoint }) {
  const reveal = useEndpointSecret(endpoint.id, 'reveal');
  const rotate = useEndpointSecret(endpoint.id, 'rotate');
  const [shown, setShown] = useState<EndpointSecret | null>(null);
  const [rotating, setRotating] = useState(false);

  return (
    <Section title="Signing secret" hint="What receivers check the signature with (Standard Webhooks).">
      <Stack gap="md">
        <Facts>
          <Fact name="Secret">
            {shown === null ? <span className="mono">whsec_••••••••••••</span> : <Plain secret={shown.secret} label="Copy signing secret" />}
          </Fact>
          {shown?.previousSecret != null && (
            <Fact name="Previous">
              <Plain secret={shown.previousSecret} label="Copy the previous secret" />
            </Fact>
          )}
          {endpoint.previousSecretUntil !== null && (
            <Fact name="Both sign">
              The previous secret signs as well, and ends <RelativeTime at={endpoint.previousSecretUntil} />.
            </Fact>
          )}
        </Facts>
        <Group gap="xs">
          <Button
            variant="default"
            loading={reveal.isPending}
            onClick={() => {
              if (shown !== null) {
                setShown(null);
                return;
              }
              reveal.mutate(undefined, {
                onSuccess: setShown,
                onError: (error) => {
                  notifyFailed('The secret could not be revealed', error);
                },
              });
            }}
          >
            {shown === null ? 'Reveal secret' : 'Hide secret'}
          </Button>
          <Button
            variant="default"
            onClick={() => {
              setRotating(true);
            }}
          >
            Rotate secret
          </Button>
        </Group>
        <Text size="xs" c="dimmed">
          Each request carries the headers <span className="mono">webhook-id</span>, <span className="mono">webhook-timestamp</span> and{' '}
          <span className="mono">webhook-signature</span>. A repeated delivery has the same id: process each id only once.
        </Text>
      </Stack>
      <ConfirmDialog
        opened={rotating}
        onClose={() => {
          rotate.reset();
          setRotating(false);
        }}
        title="Rotate signing secret"
        confirmLabel="Rotate secret"
        pending={rotate.isPending}
        error={rotate.error}
        onConfirm={() => {
          rotate.mutate(undefined, {
            onSuccess: (fresh) => {
              setShown(fresh);
              setRotating(false);
              notifyDone('The webhook has a new signing secret.');
            },
          });
        }}
      >
        A new secret is made and shown. Receivers may accept the old secret for 24 hours: until then every request is signed
        with both. Rotating again before then ends the oldest one at once.
      </ConfirmDialog>
    </Section>
  );
}

function Plain({ secret, label }: { secret: string; label: string }) {
  return (
    <span className={classes.secret}>
      <span className="mono">{secret}</span>
      <CopyButton value={secret} label={label} />
    </span>
  );
}
