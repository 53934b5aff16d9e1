import { Button } from '@mantine/core';
import { useState } from 'react';
import type { License, ServerStatus } from '@/api/types';
import { Notice } from '@/components/Notice';
import { RelativeTime } from '@/components/RelativeTime';
import { useReinstallHint } from '@/features/connection/useReinstallHint';
import { RunJob } from '@/features/jobs/RunJob';
import { duration, spokenUtc } from '@/lib/time';
import { CancelRotationDialog } from './CancelRotationDialog';

interface RotationStateProps {
  license: License;
  serverName: string;
  serverStatus: ServerStatus;
}

/** An open rotation, or one that ended without the gateway. */
export function RotationState({ license, serverName, serverStatus }: RotationStateProps) {
  const { rotation, lastRotation } = license;
  const hint = useReinstallHint(license.serverId);
  // Always there, without a box of its own: what a screen reader is to be told has to appear inside it.
  return (
    <div role="status" style={{ display: 'contents' }}>
      {rotation !== null ? (
        <OpenRotation serverId={license.serverId} rotation={rotation} serverStatus={serverStatus} />
      ) : (
        lastRotation !== null &&
        lastRotation.adoptedAt === null &&
        serverStatus !== 'NOT_INSTALLED' && (
          <Notice
            tone="warn"
            title="The gateway has not taken its new key"
            action={
              hint === null ? (
                <RunJob
                  server={{ id: license.serverId, name: serverName }}
                  kind="INSTALL"
                  name="Re-install"
                  disabled={serverStatus === 'INSTALLING'}
                >
                  Re-install now
                </RunJob>
              ) : undefined
            }
          >
            The limit of its rotation passed on {spokenUtc(lastRotation.endedAt)}, and the old key ended. If the gateway was
            off until then it stops at its next heartbeat, and has to be installed again. {hint}
          </Notice>
        )
      )}
    </div>
  );
}

const WAITING: Partial<Record<ServerStatus, string>> = {
  ONLINE: 'It is handed over with the next heartbeat. Both keys count until then, and traffic flows.',
  OFFLINE: 'The gateway is offline; it is handed the new key when it is back. Both keys count until then.',
  STOPPED_BY_LICENSE: 'The gateway is stopped by its license; it is handed the new key whenever it asks. Both keys count until then.',
  KEY_RETIRED: 'The gateway’s old key was retired; it gets the new key when it is installed again.',
  INSTALLING: 'The installation gets the new key. Both keys count until it has reported.',
  NOT_INSTALLED: 'No gateway is installed; one that is installed now gets the new key.',
};

function OpenRotation({ serverId, rotation, serverStatus }: { serverId: string; rotation: NonNullable<License['rotation']>; serverStatus: ServerStatus }) {
  const [cancelling, setCancelling] = useState(false);
  return (
    <>
      <Notice
        tone="info"
        title="Waiting for the gateway to take its new key"
        action={
          <Button
            variant="default"
            onClick={() => {
              setCancelling(true);
            }}
          >
            Cancel rotation
          </Button>
        }
      >
        {WAITING[serverStatus]} Started by {rotation.startedBy} <RelativeTime at={rotation.startedAt} />; the old key ends on{' '}
        {spokenUtc(rotation.limitAt)} at the latest.
      </Notice>
      <CancelRotationDialog
        serverId={serverId}
        opened={cancelling}
        onClose={() => {
          setCancelling(false);
        }}
      />
    </>
  );
}

/** How the present key came, in one line. */
export function LastRotation({ rotation }: { rotation: NonNullable<License['lastRotation']> }) {
  const { startedAt, endedAt, adoptedAt } = rotation;
  if (adoptedAt === null) {
    return (
      <>
        The limit passed <RelativeTime at={endedAt} />; no heartbeat with the new key yet
      </>
    );
  }
  const took = duration(Math.max(0, Date.parse(adoptedAt) - Date.parse(startedAt)));
  const late = Date.parse(adoptedAt) > Date.parse(endedAt);
  return (
    <>
      The gateway took the new key {late ? 'after the limit' : `after ${took}`}, <RelativeTime at={adoptedAt} />
    </>
  );
}
