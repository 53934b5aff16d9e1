import { Button, Group, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { endpointQuery, useDeleteEndpoint, useTestEndpoint, useUpdateEndpoint } from '@/api/notifications';
import { ApiError } from '@/api/problem';
import type { Endpoint } from '@/api/types';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { Icon } from '@/components/Icon';
import { Notice } from '@/components/Notice';
import { PageHeader } from '@/components/PageHeader';
import { RelativeTime } from '@/components/RelativeTime';
import { Section } from '@/components/Section';
import { ErrorState, LoadingLines, OutOfDate } from '@/components/States';
import { NotFoundPage } from '@/features/shell/NotFoundPage';
import users from '@/features/users/users.module.css';
import { notifyDone, notifyFailed } from '@/lib/notify';
import { BackToNotifications } from './BackToNotifications';
import { DeliveriesCard } from './DeliveriesCard';
import { EndpointForm } from './EndpointForm';
import { SecretCard } from './SecretCard';

const route = getRouteApi('/shell/admin/settings/notifications/$endpointId');

export function EndpointPage() {
  const { endpointId } = route.useParams();
  const endpoint = useQuery(endpointQuery(endpointId));
  if (endpoint.error instanceof ApiError && [400, 404, 422].includes(endpoint.error.status)) return <NotFoundPage />;
  if (endpoint.data !== undefined) {
    return (
      <Stack gap="md">
        <OutOfDate query={endpoint} />
        <EndpointView key={endpointId} endpoint={endpoint.data} />
      </Stack>
    );
  }
  return (
    <>
      <PageHeader title="Endpoint" purpose="What it is sent, and what arrived." back={<BackToNotifications />} />
      {endpoint.isError ? (
        <ErrorState what="The endpoint" error={endpoint.error} onRetry={() => void endpoint.refetch()} retrying={endpoint.isFetching} />
      ) : (
        <Section title="Endpoint">
          <LoadingLines lines={6} />
        </Section>
      )}
    </>
  );
}

function EndpointView({ endpoint }: { endpoint: Endpoint }) {
  const update = useUpdateEndpoint(endpoint.id);
  const test = useTestEndpoint(endpoint.id);
  const [deleting, setDeleting] = useState(false);
  const webhook = endpoint.kind === 'WEBHOOK';

  return (
    <div>
      <PageHeader
        title={endpoint.description}
        purpose={webhook ? 'A webhook: what it is sent, and what arrived.' : 'E-mail: who is sent what, and what arrived.'}
        back={<BackToNotifications />}
        action={
          <Group gap="xs">
            <Button
              variant="default"
              leftSection={<Icon name="trash" size={14} />}
              onClick={() => {
                setDeleting(true);
              }}
            >
              Delete
            </Button>
            <Button
              disabled={!endpoint.enabled}
              loading={test.isPending}
              onClick={() => {
                test.mutate(undefined, {
                  onSuccess: () => {
                    notifyDone('A test is on its way. See Deliveries.');
                  },
                  onError: (error) => {
                    notifyFailed('No test was sent', error);
                  },
                });
              }}
            >
              Send test
            </Button>
          </Group>
        }
      />
      <Stack gap="md">
        <EndpointNotice endpoint={endpoint} />
        <div className={webhook ? users.columns : users.narrow}>
          <Section title={webhook ? 'Webhook' : 'E-mail'}>
            <EndpointForm
              kind={endpoint.kind}
              endpoint={endpoint}
              submitLabel="Save changes"
              onSave={async (fields) => {
                await update.mutateAsync(fields);
                notifyDone('The changes were saved.');
              }}
            />
          </Section>
          {webhook && <SecretCard endpoint={endpoint} />}
        </div>
        <DeliveriesCard endpoint={endpoint} />
      </Stack>
      <DeleteEndpointDialog
        endpoint={endpoint}
        opened={deleting}
        onClose={() => {
          setDeleting(false);
        }}
      />
    </div>
  );
}

function EndpointNotice({ endpoint }: { endpoint: Endpoint }) {
  if (!endpoint.enabled && endpoint.disabledReason === 'GONE') {
    return (
      <Notice tone="bad" title="Switched off: the receiver said that it is gone">
        It answered 410 <RelativeTime at={endpoint.disabledAt} />. Correct the URL, then switch it on again.
      </Notice>
    );
  }
  if (!endpoint.enabled && endpoint.disabledReason === 'FAILURES') {
    return (
      <Notice tone="bad" title="Switched off after five days of failures">
        Nothing got through, so it was switched off <RelativeTime at={endpoint.disabledAt} />. The log below says why. Switch it on
        again once the receiver answers.
      </Notice>
    );
  }
  if (endpoint.enabled && endpoint.failingSince !== null) {
    return (
      <Notice tone="warn" title="Deliveries are failing">
        Nothing has got through since <RelativeTime at={endpoint.failingSince} />. They are tried again by themselves; after five days of
        failures this endpoint is switched off.
      </Notice>
    );
  }
  return null;
}

function DeleteEndpointDialog({ endpoint, opened, onClose }: { endpoint: Endpoint; opened: boolean; onClose: () => void }) {
  const remove = useDeleteEndpoint();
  const navigate = useNavigate();
  return (
    <ConfirmDialog
      opened={opened}
      onClose={() => {
        remove.reset();
        onClose();
      }}
      title={`Delete ${endpoint.description}`}
      confirmLabel="Delete"
      danger
      pending={remove.isPending}
      error={remove.error}
      onConfirm={() => {
        remove.mutate(endpoint.id, {
          onSuccess: () => {
            notifyDone(`${endpoint.description} was deleted.`);
            void navigate({ to: '/admin/settings/notifications', ignoreBlocker: true });
          },
        });
      }}
    >
      Nothing is sent there any more, and its log of deliveries goes with it. What waits to be delivered is dropped. This cannot be
      undone.
    </ConfirmDialog>
  );
}
