import type { NotificationSettings, NotificationSettingsFields, SmtpFields } from '@/api/types';

/** The settings are saved as a whole: what a form does not show is sent as it is. */
export function settingsBody(settings: NotificationSettings, change: Partial<NotificationSettingsFields>): NotificationSettingsFields {
  const { licenseEndingHours, offlineSettleMinutes, silentHours, smtp } = settings;
  return { licenseEndingHours, offlineSettleMinutes, silentHours, smtp: smtp === null ? null : keptSmtp(smtp), ...change };
}

function keptSmtp({ host, port, tls, username, from }: NonNullable<NotificationSettings['smtp']>): SmtpFields {
  return { host, port, tls, username, from };
}
