import { useQuery } from '@tanstack/react-query';
import { connectionQuery } from '@/api/connections';
import type { Server } from '@/api/types';
import { Notice } from '@/components/Notice';
import { RunJob } from '@/features/jobs/RunJob';

/** The license key was replaced, and the gateway was not handed the new one. */
export function ReinstallNotice({ server }: { server: Server }) {
  const connection = useQuery(connectionQuery(server.id));
  if (!server.reinstallNeeded || server.status === 'INSTALLING') return null;
  return (
    <Notice
      tone="bad"
      title="The gateway has to get its new license key"
      action={
        connection.data?.host === null ? undefined : (
          <RunJob server={server} kind="INSTALL" name="Re-install">
            Re-install now
          </RunJob>
        )
      }
    >
      Its old key was retired: it stops within a minute and refuses visitors until it is installed again.
      {connection.data?.host === null && ' Make an install command under “Server access”, and run it on the server.'}
    </Notice>
  );
}
