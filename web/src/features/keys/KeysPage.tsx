import { Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { keysQuery } from '@/api/keys';
import type { Keys, KeyState, MasterKey, RunningDashboard, SigningKey } from '@/api/types';
import { CopyButton } from '@/components/CopyButton';
import { DataTable, type Column } from '@/components/DataTable';
import { Notice } from '@/components/Notice';
import { PageHeader } from '@/components/PageHeader';
import { RelativeTime } from '@/components/RelativeTime';
import { Section } from '@/components/Section';
import { ErrorState, LoadingLines, OutOfDate } from '@/components/States';
import { StatusDot } from '@/components/StatusDot';
import { SettingsTabs } from '@/features/settings/SettingsTabs';
import type { Tone } from '@/lib/words';
import classes from './keys.module.css';

const STATE: Record<KeyState, { label: string; tone: Tone }> = {
  ACTIVE: { label: 'In use', tone: 'ok' },
  ANNOUNCED: { label: 'Announced', tone: 'busy' },
  REPLACED: { label: 'Being replaced', tone: 'warn' },
  RETIRED: { label: 'Retired', tone: 'idle' },
  LOST: { label: 'Lost', tone: 'bad' },
};

function common<T extends MasterKey>(): Column<T>[] {
  return [
    { id: 'state', header: 'State', cell: (key) => <StatusDot {...STATE[key.state]} /> },
    { id: 'held', header: 'Held here', cell: (key) => <Held held={key.held} state={key.state} /> },
    { id: 'made', header: 'Made', align: 'end', cell: (key) => <RelativeTime at={key.createdAt} /> },
    { id: 'used', header: 'In use since', align: 'end', cell: (key) => <RelativeTime at={key.activatedAt} none="–" /> },
    { id: 'retired', header: 'Retired', align: 'end', cell: (key) => <RelativeTime at={key.retiredAt} none="–" /> },
  ];
}

/** A retired or lost key need not be there. */
function Held({ held, state }: { held: boolean; state: KeyState }) {
  if (held) return <StatusDot tone="ok" label="Yes" />;
  return <StatusDot tone={state === 'RETIRED' || state === 'LOST' ? 'idle' : 'bad'} label={state === 'RETIRED' ? 'No longer' : 'Missing'} />;
}

const MASTER: Column<MasterKey>[] = [{ id: 'id', header: 'Key', cell: (key) => `Key ${key.id}` }, ...common<MasterKey>()];

const SIGNING: Column<SigningKey>[] = [
  {
    id: 'id',
    header: 'Key id',
    cell: (key) => (
      <span className={classes.key}>
        <span className="mono">{key.keyId}</span>
        <CopyButton value={key.publicKey} label={`Copy public key ${key.keyId}`} />
      </span>
    ),
  },
  ...common<SigningKey>(),
  { id: 'gateways', header: 'Trusted by', align: 'end', cell: (key) => <span className="numeric">{key.gateways === 1 ? '1 gateway' : `${key.gateways} gateways`}</span> },
];

const DASHBOARDS: Column<RunningDashboard>[] = [
  { id: 'host', header: 'Host', cell: (dashboard) => <span className="mono">{dashboard.hostname}</span> },
  { id: 'version', header: 'Version', cell: (dashboard) => <span className="mono">{dashboard.version}</span> },
  { id: 'master', header: 'Master keys', cell: (dashboard) => <span className="mono">{dashboard.masterKeyIds.join(', ') || '–'}</span> },
  { id: 'signing', header: 'Signing keys', cell: (dashboard) => <span className="mono">{dashboard.signingKeyIds.join(', ') || '–'}</span> },
  { id: 'started', header: 'Started', align: 'end', cell: (dashboard) => <RelativeTime at={dashboard.startedAt} /> },
  { id: 'seen', header: 'Last seen', align: 'end', cell: (dashboard) => <RelativeTime at={dashboard.seenAt} /> },
  {
    id: 'problems',
    header: 'Problems',
    cell: (dashboard) =>
      dashboard.problems.length === 0 ? <StatusDot tone="ok" label="None" /> : <StatusDot tone="bad" label={dashboard.problems.join(' ')} />,
  },
];

export function KeysPage() {
  const keys = useQuery(keysQuery);
  return (
    <>
      <PageHeader title="Keys" purpose="The keys that seal secrets and sign answers. They are changed on the dashboard’s host, never here." />
      <SettingsTabs />
      <Stack gap="md">
        <OutOfDate query={keys} />
        {keys.data !== undefined ? (
          <KeysView keys={keys.data} />
        ) : keys.isError ? (
          <ErrorState what="The keys" error={keys.error} onRetry={() => void keys.refetch()} retrying={keys.isFetching} />
        ) : (
          <Section title="Master keys">
            <LoadingLines />
          </Section>
        )}
      </Stack>
    </>
  );
}

function KeysView({ keys }: { keys: Keys }) {
  return (
    <>
      <Section title="Signing keys" hint="They sign every answer to a gateway; a gateway believes nothing else." flush>
        <Text size="sm" px={16} py={12} className={classes.line}>
          {keys.gateways === 0 ? 'No gateway has been heard from yet.' : `${keys.following} of ${keys.gateways} gateways follow: they trust the newest key.`}
        </Text>
        <DataTable label="Signing keys" columns={SIGNING} rows={keys.signingKeys} rowKey={(key) => key.id} empty={null} />
      </Section>
      <Section title="Master keys" hint="They seal the secrets in the database: license keys, logins, authenticators." flush>
        <DataTable label="Master keys" columns={MASTER} rows={keys.masterKeys} rowKey={(key) => key.id} empty={null} />
      </Section>
      <Section title="Dashboards" hint="Those that run on this database now, and the keys that each of them holds." flush>
        <DataTable label="Dashboards" columns={DASHBOARDS} rows={keys.dashboards} rowKey={(dashboard) => `${dashboard.hostname} ${dashboard.startedAt}`} empty={null} />
      </Section>
      <Notice tone="info" title="Changing keys">
        Run <span className="mono">proxima-dashboard rotate-master-key</span> or{' '}
        <span className="mono">proxima-dashboard rotate-signing-key</span> on the dashboard’s host. Back up the key file apart
        from the database, and again after every rotation: without it the secrets in a restored database cannot be read.
      </Notice>
    </>
  );
}
