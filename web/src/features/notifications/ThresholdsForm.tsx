import { Button, Group, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { useUpdateNotificationSettings } from '@/api/notifications';
import type { NotificationSettings } from '@/api/types';
import { Notice } from '@/components/Notice';
import { NumberField } from '@/components/NumberField';
import { Section } from '@/components/Section';
import { applyProblem, focusFirstError, keepShownError } from '@/lib/formErrors';
import { notifyDone } from '@/lib/notify';
import classes from './notifications.module.css';
import { settingsBody } from './settingsBody';

type Values = Pick<NotificationSettings, 'licenseEndingHours' | 'offlineSettleMinutes' | 'silentHours'>;

function within(min: number, max: number) {
  return (value: number | string): string | null => {
    const number = Number(value);
    return value !== '' && Number.isInteger(number) && number >= min && number <= max ? null : `Use a whole number from ${min} to ${max}.`;
  };
}

export function ThresholdsForm({ settings }: { settings: NotificationSettings }) {
  const update = useUpdateNotificationSettings();
  const [failure, setFailure] = useState<string | null>(null);
  const { licenseEndingHours, offlineSettleMinutes, silentHours } = settings;
  const form = useForm<Values>({
    initialValues: { licenseEndingHours, offlineSettleMinutes, silentHours },
    validateInputOnBlur: true,
    enhanceGetInputProps: keepShownError,
    validate: { licenseEndingHours: within(1, 720), offlineSettleMinutes: within(1, 1_440), silentHours: within(1, 8_760) },
  });
  const changed = (['licenseEndingHours', 'offlineSettleMinutes', 'silentHours'] as const).some((name) => form.values[name] !== settings[name]);

  return (
    <Section title="When to notify" hint="How long to wait before something counts as news.">
      <form
        noValidate
        onSubmit={form.onSubmit(async (values) => {
          setFailure(null);
          try {
            await update.mutateAsync(settingsBody(settings, values));
            notifyDone('The settings were saved.');
          } catch (error) {
            setFailure(applyProblem(form, error));
          }
        }, focusFirstError)}
      >
        <Stack gap="md">
          {failure !== null && <Notice tone="bad">{failure}</Notice>}
          <div className={classes.numbers}>
            <NumberField
              label="Grace is about to end"
              description="Sent this long before a license’s grace period ends."
              suffix=" hours"
              {...form.getInputProps('licenseEndingHours')}
            />
            <NumberField
              label="Gateway is offline"
              description="Sent once it has been offline for this long; restarts are not reported."
              suffix=" minutes"
              {...form.getInputProps('offlineSettleMinutes')}
            />
            <NumberField
              label="Gateway is silent"
              description="Sent once a licensed gateway has not been heard from for this long."
              suffix=" hours"
              {...form.getInputProps('silentHours')}
            />
          </div>
          <Group justify="flex-end">
            <Button type="submit" disabled={!changed} loading={update.isPending}>
              Save times
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}
