import type { ReactNode } from 'react';
import type { FollowedJob } from '@/api/jobs';
import { CopyButton } from '@/components/CopyButton';
import { Notice } from '@/components/Notice';
import classes from './jobs.module.css';
import { changedNothing, logText, putBack, uninstalledOf } from './progress';
import { JOB_KIND } from './words';

const GOOD_NEWS: Record<FollowedJob['kind'], { title: string; body: string }> = {
  INSTALL: { title: 'Your gateway is online', body: 'It has reported to this dashboard and is licensed. Its ports are set under “Manage”.' },
  UPDATE: { title: 'The gateway was updated', body: 'The new version has reported to this dashboard.' },
  RESTART: { title: 'The gateway was restarted', body: 'It has reported to this dashboard since.' },
  UNINSTALL: {
    title: 'The gateway was removed',
    body: 'Visitors are refused from now on.',
  },
};

/** How a job ended, in words: nothing while it runs. */
export function JobOutcome({ job, retry }: { job: FollowedJob; retry: ReactNode }) {
  switch (job.state) {
    case 'SUCCEEDED':
      return (
        <Notice tone="ok" title={GOOD_NEWS[job.kind].title}>
          {GOOD_NEWS[job.kind].body}
          <Uninstalled job={job} />
        </Notice>
      );
    case 'FAILED':
      return (
        <Notice
          tone="bad"
          title={job.problem?.sentence ?? `${JOB_KIND[job.kind].failed}.`}
          action={
            <>
              {retry}
              {job.steps.length > 0 && <CopyButton value={logText(job)} label="Copy the whole log" text="Copy log" />}
            </>
          }
        >
          {job.problem !== null && job.problem.remedy !== '' && <div>{job.problem.remedy}</div>}
          <WhatIsLeft job={job} />
        </Notice>
      );
    case 'CANCELLED':
      return (
        <Notice tone="warn" title={`${JOB_KIND[job.kind].name} was cancelled`} action={retry}>
          {job.problem !== null && job.problem.code !== 'CANCELLED' && <div>{job.problem.sentence} {job.problem.remedy}</div>}
          <WhatIsLeft job={job} />
        </Notice>
      );
    default:
      return null;
  }
}

/** What a person has to know about the state of their box. */
function WhatIsLeft({ job }: { job: FollowedJob }) {
  const steps = putBack(job.steps);
  return (
    <>
      {steps.length > 0 && (
        <>
          Put back as it was before:
          <ul className={classes.list}>
            {steps.map((step) => (
              <li key={step.id}>{step.title}</li>
            ))}
          </ul>
        </>
      )}
      {job.remains.length > 0 && (
        <>
          <b>Could not be put back:</b>
          <ul className={classes.list}>
            {job.remains.map((sentence) => (
              <li key={sentence}>{sentence}</li>
            ))}
          </ul>
        </>
      )}
      {steps.length === 0 && job.remains.length === 0 && changedNothing(job.steps) && <div>Nothing was changed on the server.</div>}
    </>
  );
}

/** What an uninstallation took away, and what it left on purpose. */
function Uninstalled({ job }: { job: FollowedJob }) {
  const uninstalled = uninstalledOf(job);
  if (uninstalled === null) return null;
  const lists = [
    { words: 'Removed:', items: uninstalled.removed },
    { words: 'Left on purpose:', items: uninstalled.left },
  ];
  return (
    <>
      {lists.map(
        ({ words, items }) =>
          items.length > 0 && (
            <div key={words}>
              {words}
              <ul className={classes.list}>
                {items.map((item) => (
                  <li key={item}>{item}</li>
                ))}
              </ul>
            </div>
          ),
      )}
    </>
  );
}
