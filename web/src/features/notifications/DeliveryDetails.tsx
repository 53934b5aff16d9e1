import { Button, Group, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { deliveryQuery, useRedeliver } from '@/api/notifications';
import type { Attempt, EndpointKind } from '@/api/types';
import { CopyButton } from '@/components/CopyButton';
import { Fact, Facts } from '@/components/Facts';
import { RelativeTime } from '@/components/RelativeTime';
import { ErrorState, LoadingLines } from '@/components/States';
import { StatusDot } from '@/components/StatusDot';
import { notifyDone, notifyFailed } from '@/lib/notify';
import { duration } from '@/lib/time';
import classes from './notifications.module.css';

export function DeliveryDetails({ deliveryId, kind }: { deliveryId: string; kind: EndpointKind }) {
  const delivery = useQuery(deliveryQuery(deliveryId));
  const redeliver = useRedeliver();
  if (delivery.data === undefined) {
    return delivery.isError ? (
      <ErrorState what="The delivery" error={delivery.error} onRetry={() => void delivery.refetch()} retrying={delivery.isFetching} />
    ) : (
      <LoadingLines lines={3} />
    );
  }
  const { data } = delivery;
  const payload = JSON.stringify(data.payload, null, 2);
  const waiting = data.state === 'WAITING';

  return (
    <Stack gap="md">
      <Facts>
        <Fact name="What happened">{data.summary}</Fact>
        <Fact name={kind === 'WEBHOOK' ? 'webhook-id' : 'Event id'}>
          <span className="mono">{data.eventId}</span>
        </Fact>
        {data.nextAttemptAt !== null && (
          <Fact name="Next attempt">
            <RelativeTime at={data.nextAttemptAt} />
          </Fact>
        )}
      </Facts>
      <div>
        <Title order={3} size="sm" mb={6}>
          Attempts
        </Title>
        {data.log.length === 0 ? (
          <Text size="sm" c="dimmed">
            {waiting ? 'The first attempt is about to begin.' : 'There was none.'}
          </Text>
        ) : (
          <ol className={classes.attempts}>
            {data.log.map((attempt) => (
              <AttemptRow key={attempt.number} attempt={attempt} />
            ))}
          </ol>
        )}
      </div>
      <div>
        <Group justify="space-between" mb={6}>
          <Title order={3} size="sm">
            What is sent
          </Title>
          <CopyButton value={payload} label="Copy what is sent" />
        </Group>
        <pre className={`${classes.code ?? ''} mono`} tabIndex={0} aria-label="What is sent">
          {payload}
        </pre>
      </div>
      <div>
        <Button
          variant="default"
          loading={redeliver.isPending}
          onClick={() => {
            redeliver.mutate(data.id, {
              onSuccess: () => {
                notifyDone('It is being sent again.');
              },
              onError: (error) => {
                notifyFailed('It was not sent again', error);
              },
            });
          }}
        >
          {waiting ? 'Try now' : 'Redeliver'}
        </Button>
      </div>
    </Stack>
  );
}

function AttemptRow({ attempt }: { attempt: Attempt }) {
  const arrived = attempt.outcome === 'delivered';
  return (
    <li className={classes.attempt}>
      <Group gap="sm" wrap="wrap">
        <StatusDot tone={arrived ? 'ok' : 'bad'} label={attempt.statusCode === null ? (arrived ? 'Delivered' : 'Not delivered') : `HTTP ${attempt.statusCode}`} />
        <Text size="xs" c="dimmed" component="span">
          Attempt {attempt.number}, <RelativeTime at={attempt.at} />, took {duration(attempt.durationMs)}
        </Text>
      </Group>
      <span>{attempt.message}</span>
      {attempt.response !== null && attempt.response !== '' && (
        <pre className={`${classes.code ?? ''} mono`} tabIndex={0} aria-label={`Answer to attempt ${attempt.number}`}>
          {attempt.response}
        </pre>
      )}
    </li>
  );
}
