import { Button, Group, Stack, Text } from '@mantine/core';
import { useState, type SubmitEvent } from 'react';
import { useUpdateSettings } from '@/api/admin';
import { mapProblem } from '@/api/problem';
import type { Settings } from '@/api/types';
import { CopyButton } from '@/components/CopyButton';
import { Notice } from '@/components/Notice';
import { NumberField } from '@/components/NumberField';
import { PageHeader } from '@/components/PageHeader';
import { RelativeTime } from '@/components/RelativeTime';
import { Section } from '@/components/Section';
import { UnsavedGuard } from '@/components/UnsavedGuard';
import { allowlistCsv, toEntries, type AllowlistEntry } from '@/lib/allowlist';
import { notifyDone } from '@/lib/notify';
import { AllowlistInput } from './AllowlistInput';
import { SettingsTabs } from './SettingsTabs';

const LIMIT_MAX_DAYS = 3_650;

const sameList = (a: readonly string[], b: readonly string[]): boolean => a.join('\n') === b.join('\n');

const textsOf = (entries: readonly AllowlistEntry[]): string[] => entries.map((entry) => entry.text);

function withProblems(entries: readonly AllowlistEntry[], field: string, messages: Record<string, string>): AllowlistEntry[] {
  return entries.map((entry, index) => ({ ...entry, problem: messages[`${field}.${index}`] ?? entry.problem }));
}

function limitOf(value: number | string): number | null {
  return value === '' ? null : Number(value);
}

function limitProblem(value: number | string): string | null {
  const days = limitOf(value);
  if (days === null || (Number.isInteger(days) && days >= 1 && days <= LIMIT_MAX_DAYS)) return null;
  return `Use a whole number from 1 to ${LIMIT_MAX_DAYS}, or leave it empty.`;
}

export function SettingsForm({ settings }: { settings: Settings }) {
  const update = useUpdateSettings();
  const [base, setBase] = useState(settings);
  const [entries, setEntries] = useState<AllowlistEntry[]>(toEntries(settings.dashboardIpAllowlist));
  const [outbound, setOutbound] = useState<AllowlistEntry[]>(toEntries(settings.outboundAllowlist));
  const [limit, setLimit] = useState<number | string>(settings.offlineLimitDays ?? '');
  const [limitError, setLimitError] = useState<string | null>(null);
  const [failure, setFailure] = useState<string | null>(null);

  const texts = textsOf(entries);
  const changed =
    !sameList(texts, base.dashboardIpAllowlist) ||
    !sameList(textsOf(outbound), base.outboundAllowlist) ||
    limitOf(limit) !== (base.offlineLimitDays ?? null);
  const invalid = limitProblem(limit) !== null || [...entries, ...outbound].some((entry) => entry.problem !== null);

  const startFrom = (from: Settings): void => {
    setBase(from);
    setEntries(toEntries(from.dashboardIpAllowlist));
    setOutbound(toEntries(from.outboundAllowlist));
    setLimit(from.offlineLimitDays ?? '');
    setLimitError(null);
    setFailure(null);
  };

  const refused = (error: unknown): void => {
    const { fields, general } = mapProblem(error, (path) => /^((dashboardIp|outbound)Allowlist\.\d+|offlineLimitDays)$/.test(path));
    setEntries(withProblems(entries, 'dashboardIpAllowlist', fields));
    setOutbound(withProblems(outbound, 'outboundAllowlist', fields));
    setLimitError(fields.offlineLimitDays ?? null);
    setFailure(general);
  };

  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (!changed || invalid) return;
    setFailure(null);
    update.mutate(
      { dashboardIpAllowlist: texts, outboundAllowlist: textsOf(outbound), offlineLimitDays: limitOf(limit) },
      {
        onSuccess: (saved) => {
          startFrom(saved);
          notifyDone('The settings were saved.');
        },
        onError: refused,
      },
    );
  };

  return (
    <form onSubmit={submit} noValidate style={{ maxWidth: 760 }}>
      <PageHeader
        title="Settings"
        purpose="Settings for all servers of this dashboard."
        action={
          <Group gap="xs">
            {changed && (
              <Button
                variant="default"
                onClick={() => {
                  startFrom(settings);
                }}
              >
                Discard changes
              </Button>
            )}
            <Button type="submit" disabled={!changed || invalid} loading={update.isPending}>
              Save settings
            </Button>
          </Group>
        }
      />
      <SettingsTabs />
      <Stack gap="md">
        {failure !== null && (
          <Notice tone="bad" title="The settings were not saved">
            {failure}
          </Notice>
        )}
        <Section
          title="Dashboard IP allowlist"
          hint="The addresses this dashboard connects from. Customers see them for their firewall; the dashboard itself never enforces them."
          aside={texts.length > 0 && <CopyButton value={allowlistCsv(texts)} label="Copy allowlist as CSV" text="Copy as CSV" />}
        >
          <AllowlistInput
            label="Add IP addresses or CIDR ranges"
            placeholder="203.0.113.7, 2001:db8::/32"
            listLabel="Allowlist entries"
            empty="No addresses. While the list is empty, customers see no firewall hint. Paste several at once, separated by commas, spaces or new lines."
            entries={entries}
            onChange={setEntries}
          />
        </Section>
        <Section
          title="Outbound ranges"
          hint="Private addresses that this dashboard may connect to nevertheless, for servers in your own network."
        >
          <Stack gap="sm">
            <Text size="sm" c="dimmed">
              Customers type the address of their server, and the dashboard connects to it. To keep anyone from probing machines inside your network with it, it refuses private, loopback, link-local and cloud metadata
              addresses, and its own. Allow only ranges that hold nothing but customers’ servers.
            </Text>
            <AllowlistInput
              label="Add private addresses or ranges"
              placeholder="10.20.0.0/16, fd12:3456::/48"
              listLabel="Outbound ranges"
              empty="None: only public addresses are connected to."
              entries={outbound}
              onChange={setOutbound}
            />
          </Stack>
        </Section>
        <Section title="Offline limit" hint="How long a licensed gateway goes on without hearing from this dashboard.">
          <Stack gap="sm">
            <NumberField
              label="Offline limit in days"
              placeholder="No limit"
              maw={200}
              min={1}
              value={limit}
              onChange={(value) => {
                setLimit(value);
                setLimitError(null);
              }}
              error={limitError ?? limitProblem(limit)}
            />
            <Text size="sm" c="dimmed">
              Left empty, a gateway whose license is ACTIVE never stops because the dashboard is silent. With a limit, it
              stops serving after that many days of silence, which also ends service for anyone who blocks the dashboard.
            </Text>
          </Stack>
        </Section>
        {base.updatedAt && (
          <Text size="xs" c="dimmed">
            Last changed <RelativeTime at={base.updatedAt} />.
          </Text>
        )}
      </Stack>
      <UnsavedGuard when={changed} />
    </form>
  );
}
