import { Button, Group, NumberInput, Stack, Text } from '@mantine/core';
import { useState, type SubmitEvent } from 'react';
import { useUpdateSettings } from '@/api/admin';
import { mapProblem } from '@/api/problem';
import type { Settings } from '@/api/types';
import { CopyButton } from '@/components/CopyButton';
import { Notice } from '@/components/Notice';
import { PageHeader } from '@/components/PageHeader';
import { RelativeTime } from '@/components/RelativeTime';
import { Section } from '@/components/Section';
import { UnsavedGuard } from '@/components/UnsavedGuard';
import { allowlistCsv, toEntries, type AllowlistEntry } from '@/lib/allowlist';
import { notifyDone } from '@/lib/notify';
import { AllowlistInput } from './AllowlistInput';

const sameList = (a: readonly string[], b: readonly string[]): boolean => a.join('\n') === b.join('\n');

function limitOf(value: number | string): number | null {
  return value === '' ? null : Number(value);
}

export function SettingsForm({ settings }: { settings: Settings }) {
  const update = useUpdateSettings();
  const [base, setBase] = useState(settings);
  const [entries, setEntries] = useState<AllowlistEntry[]>(toEntries(settings.dashboardIpAllowlist));
  const [limit, setLimit] = useState<number | string>(settings.offlineLimitDays ?? '');
  const [limitError, setLimitError] = useState<string | null>(null);
  const [failure, setFailure] = useState<string | null>(null);

  const texts = entries.map((entry) => entry.text);
  const changed = !sameList(texts, base.dashboardIpAllowlist) || limitOf(limit) !== (base.offlineLimitDays ?? null);
  const invalid = entries.some((entry) => entry.problem !== null);

  const startFrom = (from: Settings): void => {
    setBase(from);
    setEntries(toEntries(from.dashboardIpAllowlist));
    setLimit(from.offlineLimitDays ?? '');
    setLimitError(null);
    setFailure(null);
  };

  const refused = (error: unknown): void => {
    const { fields, general } = mapProblem(error, (path) => /^(dashboardIpAllowlist\.\d+|offlineLimitDays)$/.test(path));
    setEntries(entries.map((entry, index) => ({ ...entry, problem: fields[`dashboardIpAllowlist.${index}`] ?? entry.problem })));
    setLimitError(fields.offlineLimitDays ?? null);
    setFailure(general);
  };

  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (!changed || invalid) return;
    setFailure(null);
    update.mutate(
      { dashboardIpAllowlist: texts, offlineLimitDays: limitOf(limit) },
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
        purpose="What holds for every server of this dashboard."
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
          <AllowlistInput entries={entries} onChange={setEntries} />
        </Section>
        <Section title="Offline limit" hint="How long a licensed gateway goes on without hearing from this dashboard.">
          <Stack gap="sm">
            <NumberInput
              label="Offline limit in days"
              placeholder="No limit"
              maw={200}
              min={1}
              allowDecimal={false}
              allowNegative={false}
              clampBehavior="none"
              value={limit}
              onChange={(value) => {
                setLimit(value);
                setLimitError(null);
              }}
              error={limitError}
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
