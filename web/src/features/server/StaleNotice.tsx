import { Button } from '@mantine/core';
import type { ServerConfig } from '@/api/types';
import { Notice } from '@/components/Notice';
import classes from './server.module.css';

interface StaleNoticeProps {
  present: ServerConfig;
  onKeep: () => void;
  onDiscard: () => void;
}

export function StaleNotice({ present, onKeep, onDiscard }: StaleNoticeProps) {
  return (
    <Notice
      tone="warn"
      title="The configuration was changed elsewhere in the meantime"
      urgent
      action={
        <>
          <Button variant="default" onClick={onKeep}>
            Keep my changes
          </Button>
          <Button variant="default" onClick={onDiscard}>
            Load the saved version
          </Button>
        </>
      }
    >
      Your changes were not saved, and nothing you typed is lost. Saved now:
      <ul className={classes.list}>
        {present.listeners.map((listener) => (
          <li key={listener.port} className="mono">
            {listener.port} → {listener.backendUrl}
          </li>
        ))}
        {present.listeners.length === 0 && <li>no ports</li>}
      </ul>
    </Notice>
  );
}
