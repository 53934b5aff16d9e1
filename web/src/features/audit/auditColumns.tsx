import { ActionIcon } from '@mantine/core';
import type { AuditEntry } from '@/api/types';
import { Clip } from '@/components/Clip';
import type { Column } from '@/components/DataTable';
import { Icon } from '@/components/Icon';
import { RelativeTime } from '@/components/RelativeTime';
import { StatusDot } from '@/components/StatusDot';
import classes from './audit.module.css';
import { reasonOf } from './words';

interface Options {
  open: readonly number[];
  onToggle: (id: number) => void;
}

const OUTCOME = {
  SUCCESS: { tone: 'ok', label: 'Success' },
  FAILURE: { tone: 'bad', label: 'Failure' },
} as const;

/** With the reason, so that a refusal says by itself whether it is alarming. */
function Outcome({ entry }: { entry: AuditEntry }) {
  const reason = reasonOf(entry);
  return (
    <>
      <StatusDot {...OUTCOME[entry.outcome]} />
      {reason !== null && <span className={classes.says}>{reason}</span>}
    </>
  );
}

export function auditColumns({ open, onToggle }: Options): Column<AuditEntry>[] {
  return [
    { id: 'time', header: 'Time', cell: (entry) => <RelativeTime at={entry.time} /> },
    { id: 'actor', header: 'Actor', cell: (entry) => entry.username },
    { id: 'action', header: 'Action', cell: (entry) => <span className="mono">{entry.action}</span> },
    { id: 'target', header: 'Target', cell: (entry) => <Clip text={entry.targetName ?? entry.target ?? '–'} /> },
    { id: 'outcome', header: 'Outcome', cell: (entry) => <Outcome entry={entry} /> },
    { id: 'ip', header: 'IP', cell: (entry) => (entry.ip ? <span className="mono">{entry.ip}</span> : '–') },
    {
      id: 'details',
      header: 'Details',
      actions: true,
      width: 48,
      cell: (entry) => {
        const shown = open.includes(entry.id);
        return (
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-expanded={shown}
            aria-label={`${shown ? 'Hide' : 'Show'} details of entry ${entry.id}`}
            onClick={() => {
              onToggle(entry.id);
            }}
          >
            <Icon name={shown ? 'up' : 'down'} size={15} />
          </ActionIcon>
        );
      },
    },
  ];
}
