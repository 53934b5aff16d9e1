import { Tooltip } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { integrityQuery } from '@/api/admin';
import type { AuditIntegrity } from '@/api/types';
import { CopyButton } from '@/components/CopyButton';
import { RelativeTime } from '@/components/RelativeTime';
import { StatusDot } from '@/components/StatusDot';
import type { Tone } from '@/lib/words';
import classes from './audit.module.css';

const STATE: Record<AuditIntegrity['state'], { label: string; tone: Tone }> = {
  CURRENT: { label: 'Chain of hashes in order', tone: 'ok' },
  BEHIND: { label: 'Behind its anchor', tone: 'bad' },
  FOREIGN: { label: 'Another installation’s database', tone: 'bad' },
  EMPTIED: { label: 'Emptied', tone: 'bad' },
  ANCHOR_UNREADABLE: { label: 'Anchor cannot be read', tone: 'bad' },
  UNKNOWN: { label: 'Not checked yet', tone: 'idle' },
};

/** The state of the chain that makes a changed entry be seen, in one line. */
export function ChainLine() {
  const integrity = useQuery(integrityQuery);
  const { data } = integrity;
  if (data === undefined) return null;
  return (
    <div className={classes.chain}>
      <span className={classes.chainPart}>
        <StatusDot {...STATE[data.state]} />
      </span>
      <span className={classes.chainPart}>
        Head{' '}
        <Tooltip label={data.head.hash}>
          <span className="numeric" tabIndex={0}>
            #{data.head.id}
          </span>
        </Tooltip>
        <CopyButton value={data.head.hash} label="Copy hash of the head" />
      </span>
      {data.anchored !== null && (
        <span className={classes.chainPart}>
          Anchored <span className="numeric">#{data.anchored.id}</span> <RelativeTime at={data.anchored.time} />
        </span>
      )}
      {data.publicKey !== null && (
        <span className={classes.chainPart}>
          Public key <span className="mono">{data.publicKey.key}</span>
          <CopyButton value={data.publicKey.key} label="Copy public key, to verify exports with" />
        </span>
      )}
      <span className={classes.chainPart}>
        Check an export: <span className="mono">proxima-dashboard audit verify --export FILE --public-key KEY</span>
      </span>
    </div>
  );
}
