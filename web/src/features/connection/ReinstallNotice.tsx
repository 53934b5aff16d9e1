import type { Server } from '@/api/types';
import { Notice } from '@/components/Notice';
import { RunJob } from '@/features/jobs/RunJob';
import { useReinstallHint } from './useReinstallHint';

/** The license key was replaced, and the gateway was not handed the new one. */
export function ReinstallNotice({ server }: { server: Server }) {
  const hint = useReinstallHint(server.id);
  if (!server.reinstallNeeded || server.status === 'INSTALLING') return null;
  return (
    <Notice
      tone="bad"
      title="The gateway has to get its new license key"
      action={
        hint === null ? (
          <RunJob server={server} kind="INSTALL" name="Re-install">
            Re-install now
          </RunJob>
        ) : undefined
      }
    >
      Its old key was retired: it stops as soon as it hears of that, and accepts no visitors until it is installed again. {hint}
    </Notice>
  );
}
