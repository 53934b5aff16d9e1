import type { ServerStatus } from '@/api/types';
import { SERVER_STATUS, type Tone } from '@/lib/words';
import classes from './StatusDot.module.css';

/** A state is never colour alone: dot and word. */
export function StatusDot({ tone, label }: { tone: Tone; label: string }) {
  return (
    <span className={classes.root}>
      <span className={classes.dot} data-tone={tone} style={{ color: `var(--px-${tone})` }} aria-hidden="true" />
      <span>{label}</span>
    </span>
  );
}

export function ServerStatusDot({ status }: { status: ServerStatus }) {
  const { label, tone } = SERVER_STATUS[status];
  return <StatusDot tone={tone} label={label} />;
}
