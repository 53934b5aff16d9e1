import { Stack } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from '@tanstack/react-query';
import { licenseQuery } from '@/api/licenses';
import type { License, ServerStatus } from '@/api/types';
import { Fact, Facts } from '@/components/Facts';
import { LicenseBadge } from '@/components/LicenseBadge';
import { RelativeTime } from '@/components/RelativeTime';
import { Section } from '@/components/Section';
import { ErrorState, LoadingLines } from '@/components/States';
import { Notice } from '@/components/Notice';
import { RunJob } from '@/features/jobs/RunJob';
import { spokenUtc } from '@/lib/time';
import { KeyField } from './KeyField';
import { LicenseActions } from './LicenseActions';
import { LastRotation, RotationState } from './RotationState';

interface LicenseCardProps {
  serverId: string;
  serverName: string;
  username: string;
  serverStatus: ServerStatus;
}

export function LicenseCard({ serverId, serverName, username, serverStatus }: LicenseCardProps) {
  const license = useQuery(licenseQuery(serverId));
  const [regenerated, setRegenerated] = useState(false);
  const installed = serverStatus !== 'NOT_INSTALLED';
  return (
    <Section title="License">
      {license.data !== undefined ? (
        <Stack gap="md">
          <LicenseFacts license={license.data} />
          <RotationState license={license.data} serverName={serverName} serverStatus={serverStatus} />
          {regenerated && installed && (
            <Notice
              tone="warn"
              title="The gateway has to get its new key"
              action={
                <RunJob server={{ id: serverId, name: serverName }} kind="INSTALL" name="Re-install" disabled={serverStatus === 'INSTALLING'}>
                  Re-install now
                </RunJob>
              }
            >
              Its old key was retired. Until the gateway is installed again it stops within a minute and refuses visitors.
            </Notice>
          )}
          <LicenseActions
            license={license.data}
            username={username}
            installed={installed}
            onRegenerated={() => {
              setRegenerated(true);
            }}
          />
        </Stack>
      ) : license.isError ? (
        <ErrorState what="The license" error={license.error} onRetry={() => void license.refetch()} retrying={license.isFetching} />
      ) : (
        <LoadingLines />
      )}
    </Section>
  );
}

function LicenseFacts({ license }: { license: License }) {
  return (
    <Facts>
      <Fact name="License key">
        {/* Another key is another field: what was revealed must not outlive a regeneration. */}
        <KeyField key={license.maskedKey} serverId={license.serverId} maskedKey={license.maskedKey} />
      </Fact>
      {license.rotation !== null && (
        <Fact name="New key">
          <span className="mono">{license.rotation.maskedKey}</span>, not in use yet
        </Fact>
      )}
      {license.rotation === null && license.lastRotation !== null && (
        <Fact name="Key rotation">
          <LastRotation rotation={license.lastRotation} />
        </Fact>
      )}
      <Fact name="Status">
        <LicenseBadge status={license.status} />
      </Fact>
      <Fact name="Installed version">
        {license.installedVersion ? <span className="mono">{license.installedVersion}</span> : 'Not reported yet'}
      </Fact>
      <Fact name="Last heartbeat">
        <RelativeTime at={license.lastHeartbeatAt} />
      </Fact>
      {license.status === 'GRACE' && license.graceExpiresAt && (
        <Fact name="Grace expires">
          <RelativeTime at={license.graceExpiresAt} />, on {spokenUtc(license.graceExpiresAt)}
        </Fact>
      )}
    </Facts>
  );
}
