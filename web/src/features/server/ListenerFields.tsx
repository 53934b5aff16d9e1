import { ActionIcon, TextInput, Tooltip } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { Icon } from '@/components/Icon';
import { NumberField } from '@/components/NumberField';
import type { ManageValues } from './listeners';
import classes from './server.module.css';

/** One listener: the port visitors use and where its requests go. */
export function ListenerFields({ form, index }: { form: UseFormReturnType<ManageValues>; index: number }) {
  const name = `port ${index + 1}`;
  return (
    <div className={classes.listener} role="group" aria-label={`Listener ${index + 1}`}>
      <NumberField
        label="Listen port"
        placeholder="80"
        min={1}
        max={65535}
        hideControls
        {...form.getInputProps(`listeners.${index}.port`)}
      />
      <TextInput
        label="Backend URL"
        placeholder="http://127.0.0.1:8000"
        spellCheck={false}
        autoCapitalize="none"
        autoComplete="off"
        classNames={{ input: 'mono' }}
        {...form.getInputProps(`listeners.${index}.backendUrl`)}
      />
      <Tooltip label={`Remove ${name}`}>
        <ActionIcon
          className={classes.remove}
          variant="subtle"
          color="gray"
          size="lg"
          aria-label={`Remove ${name}`}
          onClick={() => {
            form.removeListItem('listeners', index);
          }}
        >
          <Icon name="trash" size={15} />
        </ActionIcon>
      </Tooltip>
    </div>
  );
}
