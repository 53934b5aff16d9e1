import { Button, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { isUnfinished, jobQuery, type FollowedJob } from '@/api/jobs';
import { Notice } from '@/components/Notice';
import { RelativeTime } from '@/components/RelativeTime';
import { ErrorState, LoadingLines, OutOfDate } from '@/components/States';
import { StatusDot } from '@/components/StatusDot';
import { useSecond } from '@/lib/clock';
import { duration, ticking } from '@/lib/time';
import classes from './jobs.module.css';
import { JobOutcome } from './JobOutcome';
import { announcement, jobElapsedMs, linesOf, stepsDone } from './progress';
import { StepRow } from './StepRow';
import { JOB_STATE } from './words';

interface JobViewProps {
  serverId: string;
  jobId: string;
  /** What to do about a job that did not succeed. */
  retry?: ReactNode;
  /** The steps of what went well are shown on demand. */
  brief?: boolean;
}

/** A job with its steps, live while it runs. */
export function JobView({ serverId, jobId, retry, brief = false }: JobViewProps) {
  const [all, setAll] = useState(false);
  const query = useQuery(jobQuery(serverId, jobId));
  const job = query.data;
  if (job === undefined) {
    return query.isError ? (
      <ErrorState what="The job" error={query.error} onRetry={() => void query.refetch()} retrying={query.isFetching} />
    ) : (
      <LoadingLines lines={6} />
    );
  }
  const ended = !isUnfinished(job);
  const hidden = brief && !all && job.state === 'SUCCEEDED' && job.steps.length > 0;
  return (
    <Stack gap="sm">
      <OutOfDate query={query} />
      <JobOutcome job={job} retry={retry} />
      {hidden && <Warnings job={job} />}
      <Summary job={job} />
      {hidden && (
        <div>
          <Button
            variant="default"
            onClick={() => {
              setAll(true);
            }}
          >
            Show the steps
          </Button>
        </div>
      )}
      {job.steps.length > 0 && !hidden && (
        <ol className={classes.steps} aria-label="Steps">
          {job.steps.map((step, place) => (
            <StepRow key={step.id} step={step} lines={linesOf(job.log, place)} jobEnded={ended} clockAheadMs={job.clockAheadMs} />
          ))}
        </ol>
      )}
      <span className="visually-hidden" role="status">
        {announcement(job)}
      </span>
    </Stack>
  );
}

/** What went well may still have something to say. */
function Warnings({ job }: { job: FollowedJob }) {
  return job.steps.flatMap((step) =>
    step.warnings.map((warning) => (
      <Notice key={`${step.id} ${warning.code}`} tone="warn" title={warning.sentence}>
        {warning.remedy}
      </Notice>
    )),
  );
}

function Summary({ job }: { job: FollowedJob }) {
  return (
    <div className={classes.summary}>
      <StatusDot {...JOB_STATE[job.state]} />
      {job.steps.length > 0 && isUnfinished(job) && (
        <span className="numeric">
          {stepsDone(job.steps)} of {job.steps.length} steps done
        </span>
      )}
      {job.state === 'QUEUED' && <span className={classes.quiet}>It begins as soon as this dashboard is free for it.</span>}
      {job.cancelRequested && isUnfinished(job) && <span>Cancelling: what was changed is put back first.</span>}
      <span className={classes.quiet}>
        Requested by {job.requestedBy}
        {job.byCommand && ', by an install command,'} <RelativeTime at={job.requestedAt} />
      </span>
      <span className={`${classes.push} numeric`}>
        {isUnfinished(job) ? <TickingTotal job={job} /> : `Took ${duration(jobElapsedMs(job, 0))}`}
      </span>
    </div>
  );
}

function TickingTotal({ job }: { job: FollowedJob }) {
  const now = useSecond();
  return <>{ticking(jobElapsedMs(job, now + job.clockAheadMs))}</>;
}
