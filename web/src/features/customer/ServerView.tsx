import { Stack } from '@mantine/core';
import type { ReactNode } from 'react';
import type { Server } from '@/api/types';
import { PageHeader } from '@/components/PageHeader';
import { Section } from '@/components/Section';
import { ServerStatusDot } from '@/components/StatusDot';
import { ReinstallNotice } from '@/features/connection/ReinstallNotice';
import { ServerCare, ServerWork } from '@/features/connection/ServerWork';
import { JobHistory } from '@/features/jobs/JobHistory';
import { ManageCard } from '@/features/server/ManageCard';
import { ServerFacts } from '@/features/server/ServerCard';
import { LicenseBanner } from './LicenseBanner';
import { StatusMeaning } from './StatusMeaning';

/** What the customer sees of their server. */
export function ServerView({ server, notice }: { server: Server; notice?: ReactNode }) {
  return (
    <>
      <PageHeader
        title={server.name}
        purpose="Your gateway: its state and what it serves."
        action={<ServerStatusDot status={server.status} />}
      />
      <Stack gap="md">
        {notice}
        <LicenseBanner license={server.license} />
        <ReinstallNotice server={server} />
        <ServerWork server={server} />
        <Section title="Status" hint={<StatusMeaning status={server.status} />}>
          <ServerFacts server={server} />
        </Section>
        <ManageCard serverId={server.id} serverStatus={server.status} />
        <ServerCare server={server} />
        <JobHistory serverId={server.id} />
      </Stack>
    </>
  );
}
