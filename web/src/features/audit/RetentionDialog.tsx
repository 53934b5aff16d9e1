import { Anchor, Button, Group, Radio, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState, type SubmitEvent } from 'react';
import { auditExportUrl, retentionQuery, useUpdateRetention } from '@/api/admin';
import { mapProblem } from '@/api/problem';
import type { AuditRetention } from '@/api/types';
import { Dialog } from '@/components/Dialog';
import { Notice } from '@/components/Notice';
import { NumberField } from '@/components/NumberField';
import { RelativeTime } from '@/components/RelativeTime';
import { ErrorState, LoadingLines } from '@/components/States';
import { useNow } from '@/lib/clock';
import { notifyDone } from '@/lib/notify';

const DAY_MS = 86_400_000;

export function RetentionDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const retention = useQuery({ ...retentionQuery, enabled: opened });
  return (
    <Dialog opened={opened} onClose={onClose} title="Retention of the audit log">
      {retention.data !== undefined ? (
        <RetentionForm retention={retention.data} onClose={onClose} />
      ) : retention.isError ? (
        <ErrorState what="The setting" error={retention.error} onRetry={() => void retention.refetch()} retrying={retention.isFetching} />
      ) : (
        <LoadingLines />
      )}
    </Dialog>
  );
}

function RetentionForm({ retention, onClose }: { retention: AuditRetention; onClose: () => void }) {
  const update = useUpdateRetention();
  const now = useNow();
  const [keep, setKeep] = useState(retention.days === null ? 'ever' : 'days');
  const [days, setDays] = useState<number | string>(retention.days ?? 365);
  const [error, setError] = useState<string | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const { minDays, maxDays } = retention;
  const chosen = keep === 'ever' ? null : Number(days);
  const possible = chosen === null || (Number.isInteger(chosen) && chosen >= minDays && chosen <= maxDays);
  const goesBefore = chosen === null || !possible ? null : new Date(now - chosen * DAY_MS).toISOString();
  const removes = goesBefore !== null && retention.oldest !== null && retention.oldest < goesBefore;

  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (!possible) {
      setError(`Use a whole number from ${minDays} to ${maxDays}.`);
      return;
    }
    setFailure(null);
    update.mutate(chosen, {
      onSuccess: () => {
        notifyDone('The retention was saved.');
        onClose();
      },
      onError: (refused) => {
        const { fields, general } = mapProblem(refused, (path) => path === 'days');
        setError(fields.days ?? null);
        setFailure(general);
      },
    });
  };

  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <Radio.Group label="Keep entries" value={keep} onChange={setKeep}>
          <Stack gap="xs" mt={8}>
            <Radio value="ever" label="Forever" />
            <Radio value="days" label="For a number of days" />
          </Stack>
        </Radio.Group>
        {keep === 'days' && (
          <NumberField
            label="Days"
            description={`From ${minDays} to ${maxDays}.`}
            maw={200}
            value={days}
            error={error}
            onChange={(value) => {
              setDays(value);
              setError(null);
            }}
          />
        )}
        <Text size="sm">
          {keep === 'ever'
            ? 'Nothing is removed.'
            : 'Older entries are removed forever. The chain of hashes stays verifiable from where it then begins.'}
        </Text>
        {removes && (
          <Notice tone="warn" title="Entries will be removed">
            The oldest is from <RelativeTime at={retention.oldest} />.{' '}
            <Anchor href={auditExportUrl({ to: goesBefore.slice(0, 16) }, 'jsonl')} download size="sm" underline="always">
              Export them
            </Anchor>{' '}
            first if you may need them.
          </Notice>
        )}
        {retention.pruned !== null && (
          <Text size="xs" c="dimmed">
            Entries up to #{retention.pruned.throughId} were removed <RelativeTime at={retention.pruned.at} />.
          </Text>
        )}
        {failure !== null && <Notice tone="bad">{failure}</Notice>}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" color={removes ? '#b42318' : undefined} loading={update.isPending} disabled={chosen === retention.days}>
            Save retention
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
