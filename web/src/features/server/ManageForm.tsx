import { Button, Group, Stack, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { isCode } from '@/api/problem';
import { serverConfigQuery, useUpdateServerConfig } from '@/api/servers';
import type { ServerConfig, ServerStatus } from '@/api/types';
import { Icon } from '@/components/Icon';
import { Notice } from '@/components/Notice';
import { UnsavedGuard } from '@/components/UnsavedGuard';
import { applyProblem, focusFirstError, keepShownError } from '@/lib/formErrors';
import { notifyDone } from '@/lib/notify';
import { backendUrlProblem, portProblem } from '@/lib/rules';
import { DeliveryLine } from './DeliveryLine';
import { ListenerFields } from './ListenerFields';
import { duplicatePortProblem, newRow, sameListeners, toListeners, toRows, type ManageValues } from './listeners';
import { StaleNotice } from './StaleNotice';

interface ManageFormProps {
  serverId: string;
  config: ServerConfig;
  serverStatus: ServerStatus;
}

export function ManageForm({ serverId, config, serverStatus }: ManageFormProps) {
  const update = useUpdateServerConfig(serverId);
  const client = useQueryClient();
  /** The version these rows were edited from. */
  const [base, setBase] = useState(config);
  const [stale, setStale] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const form = useForm<ManageValues>({
    initialValues: { listeners: toRows(config.listeners) },
    validateInputOnBlur: true,
    enhanceGetInputProps: keepShownError,
    validate: {
      listeners: {
        port: (value, values, path) => portProblem(value) ?? duplicatePortProblem(values.listeners, Number(path.split('.')[1])),
        backendUrl: backendUrlProblem,
      },
    },
  });
  const { listeners } = form.values;
  const changed = !sameListeners(listeners, base.listeners);

  const startFrom = (from: ServerConfig): void => {
    setBase(from);
    setStale(false);
    setFailure(null);
    form.setValues({ listeners: toRows(from.listeners) });
    form.clearErrors();
  };

  // A newer version from elsewhere is taken over silently only while nothing typed would be lost.
  if (config.generation !== base.generation && !changed && !update.isPending) {
    setBase(config);
    if (!sameListeners(listeners, config.listeners)) form.setValues({ listeners: toRows(config.listeners) });
  }

  const save = async (generation: number): Promise<void> => {
    setFailure(null);
    try {
      startFrom(await update.mutateAsync({ generation, listeners: toListeners(listeners) }));
      notifyDone('The configuration was saved.');
    } catch (error) {
      if (isCode(error, 'stale')) {
        setStale(true);
        await client.invalidateQueries({ queryKey: serverConfigQuery(serverId).queryKey });
        return;
      }
      setFailure(applyProblem(form, error));
    }
  };

  return (
    <form noValidate onSubmit={form.onSubmit(() => save(base.generation), focusFirstError)}>
      <Stack gap="md">
        <DeliveryLine config={config} serverStatus={serverStatus} />
        {stale && (
          <StaleNotice
            present={config}
            onKeep={() => {
              setBase(config);
              setStale(false);
            }}
            onDiscard={() => {
              startFrom(config);
            }}
          />
        )}
        {failure !== null && (
          <Notice tone="bad" title="The configuration was not saved">
            {failure}
          </Notice>
        )}
        {listeners.length === 0 && (
          <Text size="sm" c="dimmed">
            No ports yet. Add the port your visitors use and the URL of the backend behind it.
          </Text>
        )}
        {listeners.map((row, index) => (
          <ListenerFields key={row.key} form={form} index={index} />
        ))}
        <Group justify="space-between" gap="xs">
          <Button
            variant="default"
            leftSection={<Icon name="plus" size={14} />}
            onClick={() => {
              form.insertListItem('listeners', newRow());
            }}
          >
            Add port
          </Button>
          <Group gap="xs">
            {changed && (
              <Button
                variant="default"
                onClick={() => {
                  startFrom(config);
                }}
              >
                Discard changes
              </Button>
            )}
            <Button type="submit" disabled={!changed || stale} loading={update.isPending}>
              Save configuration
            </Button>
          </Group>
        </Group>
      </Stack>
      <UnsavedGuard when={changed} />
    </form>
  );
}
