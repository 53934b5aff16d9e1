import { Button, Checkbox, Group, Stack, Switch, Text, Textarea, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQuery } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { notificationEventsQuery } from '@/api/notifications';
import { mapProblem } from '@/api/problem';
import type { Endpoint, EndpointFields, EndpointKind, NotificationEvent } from '@/api/types';
import { Notice } from '@/components/Notice';
import { LoadingLines } from '@/components/States';
import { UnsavedGuard } from '@/components/UnsavedGuard';
import { focusFirstError, keepShownError } from '@/lib/formErrors';
import classes from './notifications.module.css';
import { recipientsOf } from './words';

type EventType = NotificationEvent['type'];

interface Values {
  description: string;
  url: string;
  recipients: string;
  events: EventType[];
  enabled: boolean;
}

function valuesOf(endpoint: Endpoint | null, events: EventType[]): Values {
  return {
    description: endpoint?.description ?? '',
    url: endpoint?.url ?? '',
    recipients: (endpoint?.recipients ?? []).join('\n'),
    events: endpoint?.events ?? events,
    enabled: endpoint?.enabled ?? true,
  };
}

function bodyOf(kind: EndpointKind, values: Values): EndpointFields {
  const { description, events, enabled } = values;
  const where = kind === 'WEBHOOK' ? { url: values.url.trim() } : { recipients: recipientsOf(values.recipients) };
  return { description: description.trim(), ...where, events, enabled };
}

/** `recipients.1` and `events.0` belong to the field as a whole. */
function gather(fields: Record<string, string>, sent: EndpointFields): Record<string, string> {
  const gathered: Record<string, string> = {};
  for (const [path, message] of Object.entries(fields)) {
    const [field = path, index] = path.split('.');
    const named = index === undefined ? undefined : sent.recipients?.[Number(index)];
    const said = field === 'recipients' && named !== undefined ? `${named}: ${message}` : message;
    gathered[field] = field in gathered ? `${gathered[field] ?? ''} ${said}` : said;
  }
  return gathered;
}

interface EndpointFormProps {
  kind: EndpointKind;
  endpoint: Endpoint | null;
  submitLabel: string;
  cancel?: ReactNode;
  /** Throws what was refused. */
  onSave: (fields: EndpointFields) => Promise<void>;
}

export function EndpointForm(props: EndpointFormProps) {
  const events = useQuery(notificationEventsQuery);
  // What is ticked at first is everything, so it has to be known.
  if (events.data === undefined && props.endpoint === null && !events.isError) return <LoadingLines lines={6} />;
  return <Fields {...props} events={events.data?.items ?? []} />;
}

function Fields({ kind, endpoint, submitLabel, cancel, onSave, events }: EndpointFormProps & { events: NotificationEvent[] }) {
  const [base, setBase] = useState(() => valuesOf(endpoint, events.map((event) => event.type)));
  const [seen, setSeen] = useState(endpoint);
  const [failure, setFailure] = useState<string | null>(null);
  const [pending, setPending] = useState(false);
  const form = useForm<Values>({
    initialValues: base,
    validateInputOnBlur: ['description', 'url', 'recipients'],
    enhanceGetInputProps: keepShownError,
    validate: {
      description: (value) => (value.trim() === '' ? 'Enter a name for it.' : null),
      url: (value) => (kind === 'WEBHOOK' && value.trim() === '' ? 'Enter the URL that receives the events.' : null),
      recipients: (value) => (kind === 'EMAIL' && recipientsOf(value).length === 0 ? 'Enter at least one e-mail address.' : null),
      events: (value) => (value.length === 0 ? 'Choose at least one event.' : null),
    },
  });
  const same = (a: Values, b: Values): boolean => JSON.stringify(bodyOf(kind, a)) === JSON.stringify(bodyOf(kind, b));
  const changed = !same(form.values, base);

  // Somebody else's change is taken over as long as nothing was typed here.
  if (endpoint !== null && endpoint !== seen) {
    setSeen(endpoint);
    const next = valuesOf(endpoint, []);
    if (!changed && !same(next, base)) {
      setBase(next);
      form.setValues(next);
    }
  }

  const submit = form.onSubmit(async (values) => {
    setFailure(null);
    setPending(true);
    const body = bodyOf(kind, values);
    try {
      await onSave(body);
      setBase(values);
    } catch (error) {
      const { fields, general } = mapProblem(error, (path) => /^(description|url|recipients|events)(\.\d+)?$/.test(path));
      form.setErrors(gather(fields, body));
      setFailure(general);
      focusFirstError();
    } finally {
      setPending(false);
    }
  }, focusFirstError);

  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        {failure !== null && <Notice tone="bad">{failure}</Notice>}
        <TextInput label="Name" description="Shown here and in the audit log." maxLength={100} autoComplete="off" {...form.getInputProps('description')} />
        {kind === 'WEBHOOK' ? (
          <TextInput
            label="URL"
            description="Receives a signed POST request for each event. It has to be https://, except for addresses in the outbound ranges."
            placeholder="https://example.com/hooks/proxima"
            inputMode="url"
            autoComplete="off"
            spellCheck={false}
            {...form.getInputProps('url')}
          />
        ) : (
          <Textarea
            label="Recipients"
            description="One e-mail address a line. Each of them gets a message of its own."
            placeholder="ops@example.com"
            autosize
            minRows={2}
            maxRows={8}
            spellCheck={false}
            {...form.getInputProps('recipients')}
          />
        )}
        <Checkbox.Group label="Events" {...form.getInputProps('events')}>
          <div className={classes.events}>
            {events.map((event) => (
              <Checkbox
                key={event.type}
                value={event.type}
                label={event.title}
                description={
                  <>
                    {event.description} <span className="mono">{event.type}</span>
                  </>
                }
              />
            ))}
          </div>
        </Checkbox.Group>
        <Switch
          label="On"
          description={endpoint === null ? 'Switch it off to set it up first.' : 'Switching it off cancels what waits to be delivered.'}
          {...form.getInputProps('enabled', { type: 'checkbox' })}
        />
        <Group justify="flex-end" gap="xs">
          {cancel}
          {endpoint !== null && changed && (
            <Button
              variant="default"
              onClick={() => {
                form.setValues(base);
                form.clearErrors();
                setFailure(null);
              }}
            >
              Discard changes
            </Button>
          )}
          <Button type="submit" loading={pending} disabled={endpoint !== null && !changed}>
            {submitLabel}
          </Button>
        </Group>
        {events.length === 0 && (
          <Text size="sm" c="dimmed">
            The list of events could not be loaded. Reload the page.
          </Text>
        )}
      </Stack>
      <UnsavedGuard when={changed && !pending} />
    </form>
  );
}
