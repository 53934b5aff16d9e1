import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { notificationSettingsQuery, useCreateEndpoint } from '@/api/notifications';
import type { EndpointKind } from '@/api/types';
import { Notice } from '@/components/Notice';
import { PageHeader } from '@/components/PageHeader';
import { Section } from '@/components/Section';
import { notifyDone } from '@/lib/notify';
import { BackToNotifications } from './BackToNotifications';
import { EndpointForm } from './EndpointForm';
import { SecretShown } from './SecretShown';

const route = getRouteApi('/shell/admin/settings/notifications/new');

const WORDS: Record<EndpointKind, { title: string; purpose: string; submit: string }> = {
  WEBHOOK: {
    title: 'Add webhook',
    purpose: 'A signed POST request to a URL of yours for every event that you choose.',
    submit: 'Add webhook',
  },
  EMAIL: { title: 'Add e-mail', purpose: 'A message to one or more addresses for every event that you choose.', submit: 'Add e-mail' },
};

export function AddEndpointPage() {
  const { kind } = route.useSearch();
  const navigate = useNavigate();
  const create = useCreateEndpoint();
  const settings = useQuery({ ...notificationSettingsQuery, enabled: kind === 'EMAIL' });
  const [made, setMade] = useState<{ id: string; secret: string } | null>(null);
  const words = WORDS[kind];
  const open = (endpointId: string): Promise<void> =>
    navigate({ to: '/admin/settings/notifications/$endpointId', params: { endpointId }, replace: true, ignoreBlocker: true });

  return (
    <div style={{ maxWidth: 760 }}>
      <PageHeader title={words.title} purpose={words.purpose} back={<BackToNotifications />} />
      {made !== null ? (
        <Section title="Signing secret">
          <SecretShown
            secret={made.secret}
            onDone={() => void open(made.id)}
            doneLabel="Continue"
          >
            Give this secret to the program that receives the events: it proves that a request comes from this dashboard and
            was not altered. It is stored encrypted here; you can reveal it again on the webhook’s page.
          </SecretShown>
        </Section>
      ) : kind === 'EMAIL' && settings.data?.smtp === null ? (
        <Notice
          tone="warn"
          title="There is no e-mail server yet"
          action={
            <Button component={Link} to="/admin/settings/notifications">
              Set up the e-mail server
            </Button>
          }
        >
          Messages need an SMTP server that delivers them. Set it up and send a test message, then come back.
        </Notice>
      ) : (
        <Section title={kind === 'WEBHOOK' ? 'Webhook' : 'E-mail'}>
          <EndpointForm
            key={kind}
            kind={kind}
            endpoint={null}
            submitLabel={words.submit}
            cancel={
              <Button variant="default" component={Link} to="/admin/settings/notifications">
                Cancel
              </Button>
            }
            onSave={async (fields) => {
              const { endpoint, secret } = await create.mutateAsync({ kind, ...fields });
              notifyDone(`${endpoint.description} was added.`);
              if (secret === null) await open(endpoint.id);
              else setMade({ id: endpoint.id, secret });
            }}
          />
        </Section>
      )}
    </div>
  );
}
