import { useEffect, useRef } from 'react';
import type { JobLogLine } from '@/api/types';
import { CopyButton } from '@/components/CopyButton';
import { exactUtc } from '@/lib/time';
import classes from './jobs.module.css';

/** More than anybody reads here; the copy has all. */
const SHOWN = 500;

/** What a step printed, newest last. It follows new lines unless somebody has scrolled up to read. */
export function StepLog({ id, title, lines }: { id: string; title: string; lines: JobLogLine[] }) {
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const shown = lines.slice(-SHOWN);

  useEffect(() => {
    if (atEnd.current && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [lines.length]);

  return (
    <div className={classes.log} id={id}>
      <div
        ref={box}
        className={classes.lines}
        role="log"
        aria-live="off"
        aria-label={`Log of “${title}”`}
        // A scrollable region has to be reachable by keyboard.
        tabIndex={0}
        onScroll={({ currentTarget: at }) => {
          atEnd.current = at.scrollHeight - at.scrollTop - at.clientHeight < 24;
        }}
      >
        {lines.length > SHOWN && <div className={classes.omitted}>{lines.length - SHOWN} earlier lines: copy the log to read them.</div>}
        {shown.map((line) => (
          <div key={line.id} className={classes.line} title={exactUtc(line.time)}>
            {line.line === '' ? ' ' : line.line}
          </div>
        ))}
      </div>
      <div className={classes.copy}>
        <CopyButton value={lines.map((line) => line.line).join('\n')} label={`Copy the log of “${title}”`} />
      </div>
    </div>
  );
}
