import { Loader, Progress, UnstyledButton } from '@mantine/core';
import { useId, useState } from 'react';
import type { JobLogLine, JobStep } from '@/api/types';
import { Icon } from '@/components/Icon';
import { useSecond } from '@/lib/clock';
import { duration, ticking } from '@/lib/time';
import classes from './jobs.module.css';
import { sentText, stepElapsedMs } from './progress';
import { StepLog } from './StepLog';
import { stepWord } from './words';

interface StepRowProps {
  step: JobStep;
  lines: JobLogLine[];
  jobEnded: boolean;
  clockAheadMs: number;
}

/** One step: what it will do or did, how it stands, and its log on demand. */
export function StepRow({ step, lines, jobEnded, clockAheadMs }: StepRowProps) {
  const id = useId();
  /** What a person chose; until then only a failed step is open. */
  const [chosen, setChosen] = useState<boolean | null>(null);
  const { label, tone, icon } = stepWord(step.state, jobEnded);
  const open = lines.length > 0 && (chosen ?? (step.state === 'FAILED' || step.problem !== null));
  const sent = step.state === 'RUNNING' ? sentText(step) : null;

  return (
    <li className={classes.step} data-state={step.state} aria-current={step.state === 'RUNNING' ? 'step' : undefined}>
      <span className={classes.mark} style={{ color: `var(--px-${tone})` }} aria-hidden="true">
        {icon === null ? <Loader size={14} color={`var(--px-${tone})`} /> : <Icon name={icon} size={15} />}
      </span>
      <div className={classes.words}>
        <div className={classes.title}>{step.title}</div>
        <div className={classes.said}>{step.state === 'UNDONE' ? (step.undo ?? step.will) : step.will}</div>
        {sent !== null && (
          <>
            <Progress className={classes.sent} size={3} value={((step.sentBytes ?? 0) / (step.totalBytes ?? 1)) * 100} aria-label="Sent" />
            <div className={`${classes.said} numeric`}>{sent}</div>
          </>
        )}
        {step.problem !== null && <div className={classes.problem}>{step.problem.sentence}</div>}
        {step.warnings.map((warning) => (
          <div key={`${warning.code} ${warning.sentence}`} className={classes.warning}>
            {warning.sentence} {warning.remedy}
          </div>
        ))}
      </div>
      <span className={classes.state} style={{ color: tone === 'idle' ? undefined : `var(--px-${tone})` }}>
        {label}
      </span>
      <span className={classes.time}>
        <Elapsed step={step} clockAheadMs={clockAheadMs} />
      </span>
      <span className={classes.more}>
        {lines.length > 0 && (
          <UnstyledButton
            className={classes.toggle}
            aria-expanded={open}
            aria-controls={open ? id : undefined}
            aria-label={`Log of “${step.title}”, ${lines.length === 1 ? '1 line' : `${lines.length} lines`}`}
            onClick={() => {
              setChosen(!open);
            }}
          >
            Log
            <Icon name={open ? 'up' : 'down'} size={12} />
          </UnstyledButton>
        )}
      </span>
      {open && <StepLog id={id} title={step.title} lines={lines} />}
    </li>
  );
}

function Elapsed({ step, clockAheadMs }: { step: JobStep; clockAheadMs: number }) {
  if (step.startedAt === null) return null;
  if (step.state === 'RUNNING') return <Ticking step={step} clockAheadMs={clockAheadMs} />;
  const elapsed = stepElapsedMs(step, 0);
  return step.finishedAt === null || elapsed === null ? null : <>{duration(elapsed)}</>;
}

/** On its own, so that a tick redraws nothing but this. */
function Ticking({ step, clockAheadMs }: { step: JobStep; clockAheadMs: number }) {
  const now = useSecond();
  return <>{ticking(stepElapsedMs(step, now + clockAheadMs) ?? 0)}</>;
}
