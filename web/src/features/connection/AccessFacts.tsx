import type { Connection } from '@/api/types';
import { CopyButton } from '@/components/CopyButton';
import { Fact, Facts } from '@/components/Facts';
import { RelativeTime } from '@/components/RelativeTime';
import { spokenUtc } from '@/lib/time';
import classes from './connection.module.css';
import { addressText } from './stage';

/** How the dashboard gets in: where, as whom, with what. Nothing secret is known here. */
export function AccessFacts({ connection }: { connection: Connection }) {
  const { hostKey } = connection;
  return (
    <Facts>
      <Fact name="Address">
        <span className={classes.keyLine}>
          <span className="mono">{addressText(connection)}</span>
          <CopyButton value={addressText(connection)} label="Copy address" />
        </span>
      </Fact>
      <Fact name="Login">{loginText(connection)}</Fact>
      {connection.sudoPasswordStored && <Fact name="Sudo password">Stored encrypted</Fact>}
      {hostKey && (
        <Fact name="Host key">
          <span className={classes.keyLine}>
            <span className="mono">{hostKey.fingerprint}</span>
            <CopyButton value={hostKey.fingerprint} label="Copy host key fingerprint" />
          </span>
          {hostKey.algorithm}, confirmed by {hostKey.confirmedBy} <RelativeTime at={hostKey.confirmedAt} />
        </Fact>
      )}
    </Facts>
  );
}

export function loginText({ credential }: Pick<Connection, 'credential'>): string {
  switch (credential?.kind) {
    case 'ACCESS_KEY':
      return `An access key made by this dashboard, since ${spokenUtc(credential.storedAt)}`;
    case 'PASSWORD':
      return 'Password, stored encrypted';
    case 'PRIVATE_KEY':
      return 'Private key, stored encrypted';
    case undefined:
      return 'Asked each time';
  }
}
