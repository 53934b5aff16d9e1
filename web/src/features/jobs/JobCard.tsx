import { ActionIcon, Group, Text, Tooltip } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { isUnfinished, jobQuery, refreshAfterJob } from '@/api/jobs';
import type { Job } from '@/api/types';
import { Icon } from '@/components/Icon';
import { Section } from '@/components/Section';
import { CancelJob } from './CancelJob';
import type { JobServer } from './JobDialog';
import { JobView } from './JobView';
import { RunJob } from './RunJob';
import { JOB_KIND } from './words';

interface JobCardProps {
  server: JobServer;
  job: Job;
  /** Why the job may not be tried again. */
  retryRefused?: string;
  onPutAway: () => void;
}

/** Longer ago, it was not begun from this page. */
const JUST_NOW_MS = 5_000;

/** The job in the foreground. */
export function JobCard({ server, job: listed, retryRefused, onPutAway }: JobCardProps) {
  const client = useQueryClient();
  const followed = useQuery(jobQuery(server.id, listed.id));
  const job = followed.data ?? listed;
  const running = isUnfinished(job);

  // Whoever has just begun it further down sees it.
  const card = useRef<HTMLDivElement>(null);
  const began = useRef(running && Date.parse(listed.now) - Date.parse(listed.requestedAt) < JUST_NOW_MS);
  useEffect(() => {
    if (began.current) card.current?.scrollIntoView({ block: 'nearest' });
  }, []);

  // Its end changes what the rest of the page tells.
  const wasRunning = useRef(running);
  useEffect(() => {
    if (wasRunning.current && !running) void refreshAfterJob(client, server.id);
    wasRunning.current = running;
  }, [client, running, server.id]);

  const { name, doing } = JOB_KIND[job.kind];
  return (
    <div ref={card}>
      <Section
        title={running ? `${doing}…` : name}
        hint={running ? 'It continues if you leave this page. Come back to it at any time.' : undefined}
        aside={
          running ? (
            <CancelJob serverId={server.id} job={job} />
          ) : (
            <Group gap="xs">
              <Tooltip label="Dismiss. It stays in the history.">
                <ActionIcon variant="subtle" color="gray" aria-label={`Dismiss this ${name.toLowerCase()}`} onClick={onPutAway}>
                  <Icon name="close" size={15} />
                </ActionIcon>
              </Tooltip>
            </Group>
          )
        }
      >
        <JobView
          serverId={server.id}
          jobId={job.id}
          brief
          retry={
            job.byCommand ? (
              <Text size="sm">To try again, make another install command below.</Text>
            ) : (
              <RunJob
                server={server}
                kind={job.kind}
                confirm={job.kind === 'UNINSTALL'}
                disabled={retryRefused !== undefined}
                reason={retryRefused}
              >
                Try again
              </RunJob>
            )
          }
        />
      </Section>
    </div>
  );
}
