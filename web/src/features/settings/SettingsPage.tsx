import { Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { settingsQuery } from '@/api/admin';
import { PageHeader } from '@/components/PageHeader';
import { Section } from '@/components/Section';
import { ErrorState, LoadingLines } from '@/components/States';
import { CertificateSection } from './CertificateSection';
import { SettingsForm } from './SettingsForm';
import { SettingsTabs } from './SettingsTabs';

export function SettingsPage() {
  const settings = useQuery(settingsQuery);
  if (settings.data !== undefined) {
    return (
      <Stack gap="md" style={{ maxWidth: 760 }}>
        <SettingsForm settings={settings.data} />
        <CertificateSection />
      </Stack>
    );
  }
  return (
    <div style={{ maxWidth: 760 }}>
      <PageHeader title="Settings" purpose="Settings for all servers of this dashboard." />
      <SettingsTabs />
      {settings.isError ? (
        <ErrorState what="The settings" error={settings.error} onRetry={() => void settings.refetch()} retrying={settings.isFetching} />
      ) : (
        <Section title="Dashboard IP allowlist">
          <LoadingLines />
        </Section>
      )}
    </div>
  );
}
