import { Button, Group, NativeSelect, Stack, Switch, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { useUpdateNotificationSettings } from '@/api/notifications';
import { mapProblem } from '@/api/problem';
import type { NotificationSettings, SmtpFields, SmtpTls } from '@/api/types';
import { Notice } from '@/components/Notice';
import { NumberField } from '@/components/NumberField';
import { SecretInput } from '@/components/SecretInput';
import { Section } from '@/components/Section';
import { focusFirstError, keepShownError } from '@/lib/formErrors';
import { notifyDone } from '@/lib/notify';
import { orNull, portProblem } from '@/lib/rules';
import classes from './notifications.module.css';
import { settingsBody } from './settingsBody';
import { TestMail } from './TestMail';
import { TLS_CHOICES } from './words';

interface Values {
  used: boolean;
  host: string;
  port: number | string;
  tls: SmtpTls;
  username: string;
  password: string;
  from: string;
}

function valuesOf({ smtp }: NotificationSettings): Values {
  return {
    used: smtp !== null,
    host: smtp?.host ?? '',
    port: smtp?.port ?? 587,
    tls: smtp?.tls ?? 'STARTTLS',
    username: smtp?.username ?? '',
    password: '',
    from: smtp?.from ?? '',
  };
}

function smtpOf(values: Values): SmtpFields | null {
  if (!values.used) return null;
  const { host, port, tls, username, password, from } = values;
  return {
    host: host.trim(),
    port: Number(port),
    tls,
    username: orNull(username),
    from: from.trim(),
    ...(password === '' ? {} : { password }),
  };
}

export function MailServerForm({ settings }: { settings: NotificationSettings }) {
  const update = useUpdateNotificationSettings();
  const [failure, setFailure] = useState<string | null>(null);
  const needed = (what: string) => (value: string, { used }: Values) => (used && value.trim() === '' ? what : null);
  const form = useForm<Values>({
    initialValues: valuesOf(settings),
    validateInputOnBlur: ['host', 'port', 'from'],
    enhanceGetInputProps: keepShownError,
    validate: {
      host: needed('Enter the name or address of the e-mail server.'),
      port: (value, { used }) => (used ? portProblem(value) : null),
      from: needed('Enter the address that messages come from.'),
    },
  });
  const { values } = form;
  const changed = JSON.stringify(smtpOf(values)) !== JSON.stringify(smtpOf(valuesOf(settings)));
  const stored = settings.smtp?.passwordStored === true;

  const submit = form.onSubmit(async (typed) => {
    setFailure(null);
    try {
      const saved = await update.mutateAsync(settingsBody(settings, { smtp: smtpOf(typed) }));
      form.setValues(valuesOf(saved));
      form.clearErrors();
      notifyDone(saved.smtp === null ? 'E-mail was switched off.' : 'The e-mail server was saved.');
    } catch (error) {
      const { fields, general } = mapProblem(error, (path) => path.startsWith('smtp.'));
      form.setErrors(Object.fromEntries(Object.entries(fields).map(([path, message]) => [path.replace('smtp.', ''), message])));
      setFailure(general);
      focusFirstError();
    }
  }, focusFirstError);

  return (
    <Section title="E-mail server" hint="The SMTP server that delivers this dashboard’s messages.">
      <Stack gap="md">
        <form onSubmit={submit} noValidate autoComplete="off">
          <Stack gap="md">
            {failure !== null && <Notice tone="bad">{failure}</Notice>}
            <Switch label="Send e-mail" {...form.getInputProps('used', { type: 'checkbox' })} />
            {values.used && (
              <>
                <div className={classes.row}>
                  <TextInput label="Host" placeholder="mail.example.com" spellCheck={false} {...form.getInputProps('host')} />
                  <NumberField
                    label="Port"
                    hideControls
                    {...form.getInputProps('port')}
                  />
                  <NativeSelect
                    label="Encryption"
                    data={TLS_CHOICES}
                    {...form.getInputProps('tls')}
                  />
                </div>
                <TextInput
                  label="From"
                  description="The address that messages come from."
                  placeholder="proxima@example.com"
                  spellCheck={false}
                  {...form.getInputProps('from')}
                />
                <div className={classes.halves}>
                  <TextInput
                    label="Username"
                    description="Empty if the server asks for none."
                    autoComplete="off"
                    spellCheck={false}
                    {...form.getInputProps('username')}
                  />
                  <SecretInput
                    label="Password"
                    description={
                      stored
                        ? 'One is stored. Empty keeps it; another host, port or username needs it again.'
                        : 'Stored encrypted, and never shown again.'
                    }
                    autoComplete="new-password"
                    {...form.getInputProps('password')}
                  />
                </div>
              </>
            )}
            {!values.used && settings.smtp !== null && (
              <Text size="sm">Saving forgets the server and its password. E-mail endpoints then deliver nothing.</Text>
            )}
            <Group justify="flex-end" gap="xs">
              <Button type="submit" disabled={!changed} loading={update.isPending}>
                Save e-mail server
              </Button>
            </Group>
          </Stack>
        </form>
        {settings.smtp !== null && values.used && <TestMail disabled={changed} />}
      </Stack>
    </Section>
  );
}
