import type { ServerStatus } from '@/api/types';
import { clockUtc } from '@/lib/time';
import { SERVER_STATUS, type Tone } from '@/lib/words';
import { useHeardAt } from './HeardAt';
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
  const heardAt = useHeardAt();
  if (heardAt !== null) return <StatusDot tone="idle" label={`${label} at ${clockUtc(heardAt)}, now unknown`} />;
  return <StatusDot tone={tone} label={label} />;
}
