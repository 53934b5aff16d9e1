import { Button } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import type { Connection } from '@/api/types';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { CopyButton } from '@/components/CopyButton';
import { Notice } from '@/components/Notice';
import { RelativeTime } from '@/components/RelativeTime';
import classes from './connection.module.css';
import { compareCommand } from './stage';

interface HostKeyPanelProps {
  connection: Connection;
  pending: boolean;
  looking: boolean;
  onTrust: (fingerprint: string) => Promise<void>;
  onLookAgain: () => Promise<void>;
}

/** The first look at a host key: a person says whether it is theirs, before anything secret is sent. */
export function ConfirmHostKey({ connection, pending, looking, onTrust, onLookAgain }: HostKeyPanelProps) {
  const shown = connection.shownHostKey;
  if (shown === null) return null;
  return (
    <Notice
      tone="warn"
      title="Is this your server?"
      action={
        <>
          <Button loading={pending} disabled={looking} onClick={() => onTrust(shown.fingerprint)}>
            This is my server
          </Button>
          <Button variant="default" loading={looking} disabled={pending} onClick={onLookAgain}>
            Look again
          </Button>
        </>
      }
    >
      <span className="mono">{connection.host}</span> answered and showed this host key. No password or key has been sent
      to it yet.
      <div className={classes.keys}>
        <KeyBox head={shown.algorithm} fingerprint={shown.fingerprint} />
      </div>
      <Compare algorithm={shown.algorithm} />
    </Notice>
  );
}

/** The host shows another key than the confirmed one. */
export function ChangedHostKey({ connection, pending, looking, onTrust, onLookAgain }: HostKeyPanelProps) {
  const [asking, setAsking] = useState(false);
  const { shownHostKey: shown, hostKey: confirmed } = connection;
  if (shown === null || confirmed === null) return null;
  const back = shown.fingerprint === confirmed.fingerprint;
  return (
    <>
      <Notice
        tone="bad"
        title="The server’s host key has changed"
        action={
          <>
            <Button
              variant="default"
              loading={pending}
              disabled={looking}
              onClick={() => {
                setAsking(true);
              }}
            >
              {back ? 'Go on with this key' : 'Trust the new key'}
            </Button>
            <Button variant="default" loading={looking} disabled={pending} onClick={onLookAgain}>
              Look again
            </Button>
          </>
        }
      >
        {back ? (
          <>
            <span className="mono">{connection.host}</span> showed another key in between, and now shows the confirmed one
            again. That can mean that two machines answer at this address. Nothing goes on until somebody confirms.
          </>
        ) : (
          <>
            <span className="mono">{connection.host}</span> does not identify itself as the server that was confirmed. Either
            <ul className={classes.list}>
              <li>the server was rebuilt, reinstalled or replaced, which gives it a new key; or</li>
              <li>somebody is between this dashboard and the server, and would read what is sent to it.</li>
            </ul>
            No password or key was sent, and nothing goes on until the new key is confirmed.
          </>
        )}
        <div className={classes.keys}>
          <KeyBox
            head={<>Confirmed by {confirmed.confirmedBy} <RelativeTime at={confirmed.confirmedAt} />, {confirmed.algorithm}</>}
            fingerprint={confirmed.fingerprint}
          />
          <KeyBox
            head={<>Shown <RelativeTime at={shown.shownAt} />, {shown.algorithm}</>}
            fingerprint={shown.fingerprint}
          />
        </div>
        <Compare algorithm={shown.algorithm} />
      </Notice>
      <ConfirmDialog
        opened={asking}
        onClose={() => {
          setAsking(false);
        }}
        title={back ? 'Go on with this key?' : 'Trust the new key?'}
        confirmLabel="This is my server"
        danger
        onConfirm={() => {
          setAsking(false);
          void onTrust(shown.fingerprint);
        }}
      >
        Only go on if you know why the key changed, and have compared this fingerprint with the one that the server prints:
        <div className="mono" style={{ marginBlock: 8 }}>
          {shown.fingerprint}
        </div>
        From then on the stored login is sent to whoever has this key. This is written to the audit log.
      </ConfirmDialog>
    </>
  );
}

function KeyBox({ head, fingerprint }: { head: ReactNode; fingerprint: string }) {
  return (
    <div className={classes.key}>
      <div className={classes.keyHead}>{head}</div>
      <div className={classes.keyLine}>
        <span className="mono">{fingerprint}</span>
        <CopyButton value={fingerprint} label="Copy fingerprint" />
      </div>
    </div>
  );
}

function Compare({ algorithm }: { algorithm: string }) {
  const command = compareCommand(algorithm);
  return (
    <>
      Compare it with what your server prints, in your provider’s console or wherever you trust that you are on the right
      machine:
      <div className={classes.command}>
        <code className="mono">{command}</code>
        <CopyButton value={command} label="Copy command" />
      </div>
    </>
  );
}
