import { Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { platformQuery } from '@/api/session';
import { CopyButton } from '@/components/CopyButton';
import { Notice } from '@/components/Notice';
import { Section } from '@/components/Section';
import { allowlistCsv } from '@/lib/allowlist';

export function ConnectCard() {
  const platform = useQuery(platformQuery);
  const allowlist = platform.data?.dashboardIpAllowlist ?? [];
  return (
    <Section title="Connect your server">
      <Stack gap="md">
        <Text size="sm">
          Your server is registered and its license is ready, but the gateway is <b>Not installed</b>: until it runs on
          your machine, it protects nothing and visitors do not pass through it. Your provider will start it for you.
          This page shows it as Online as soon as it reports for the first time; you can already enter its ports below.
        </Text>
        {allowlist.length > 0 && (
          <Notice
            tone="warn"
            title="Dashboard IP allowlist"
            action={<CopyButton value={allowlistCsv(allowlist)} label="Copy dashboard IP allowlist" text="Copy as CSV" />}
          >
            If a firewall protects your machine, let these addresses in, so that the dashboard can reach it:
            <div className="mono" style={{ marginTop: 4 }}>
              {allowlist.join(', ')}
            </div>
          </Notice>
        )}
      </Stack>
    </Section>
  );
}
