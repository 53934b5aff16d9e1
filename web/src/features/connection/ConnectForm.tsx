import { Button, Group, Stack, TextInput } from '@mantine/core';
import type { Connection } from '@/api/types';
import { NumberField } from '@/components/NumberField';
import { focusFirstError } from '@/lib/formErrors';
import classes from './connection.module.css';
import { needsSecret, type ConnectFormApi, type ConnectValues } from './form';
import { LoginFields } from './LoginFields';

interface ConnectFormProps {
  form: ConnectFormApi;
  connection: Connection;
  pending: boolean;
  onTest: (values: ConnectValues) => Promise<void>;
  /** Absent while there is nothing to go back to. */
  onDiscard?: () => void;
}

export function ConnectForm({ form, connection, pending, onTest, onDiscard }: ConnectFormProps) {
  const plain = { spellCheck: false, autoCapitalize: 'none', autoComplete: 'off' } as const;
  const stored = !needsSecret(connection, form.values);
  return (
    <form noValidate onSubmit={form.onSubmit(onTest, focusFirstError)} className={classes.form}>
      <Stack gap="md">
        <div className={classes.address}>
          <TextInput label="Host" placeholder="203.0.113.7 or vps.example.com" classNames={{ input: 'mono' }} {...plain} {...form.getInputProps('host')} />
          <NumberField
            label="Port"
            min={1}
            max={65535}
            hideControls
            {...form.getInputProps('port')}
          />
          <TextInput label="User" classNames={{ input: 'mono' }} {...plain} {...form.getInputProps('user')} />
        </div>
        <LoginFields form={form} user={form.values.user} stored={stored} sudoStored={stored && connection.sudoPasswordStored} />
        <Group gap="xs">
          <Button type="submit" loading={pending}>
            Test connection
          </Button>
          {onDiscard !== undefined && (
            <Button variant="default" onClick={onDiscard}>
              Discard changes
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}
