import { Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { licenseQuery } from '@/api/licenses';
import type { License, Server } from '@/api/types';
import { Fact, Facts } from '@/components/Facts';
import { LicenseBadge } from '@/components/LicenseBadge';
import { RelativeTime } from '@/components/RelativeTime';
import { Section } from '@/components/Section';
import { ErrorState, LoadingLines } from '@/components/States';
import { ReinstallNotice } from '@/features/connection/ReinstallNotice';
import { spokenUtc } from '@/lib/time';
import { KeyField } from './KeyField';
import { LicenseActions } from './LicenseActions';
import { LastRotation, RotationState } from './RotationState';

interface LicenseCardProps {
  server: Server;
  username: string;
}

export function LicenseCard({ server, username }: LicenseCardProps) {
  const license = useQuery(licenseQuery(server.id));
  return (
    <Section title="License">
      {license.data !== undefined ? (
        <Stack gap="md">
          <LicenseFacts license={license.data} />
          <RotationState license={license.data} serverName={server.name} serverStatus={server.status} />
          {!endedByLimit(license.data) && <ReinstallNotice server={server} />}
          <LicenseActions license={license.data} username={username} installed={server.status !== 'NOT_INSTALLED'} />
        </Stack>
      ) : license.isError ? (
        <ErrorState what="The license" error={license.error} onRetry={() => void license.refetch()} retrying={license.isFetching} />
      ) : (
        <LoadingLines />
      )}
    </Section>
  );
}

/** Then the rotation's own notice says what to do. */
function endedByLimit({ rotation, lastRotation }: License): boolean {
  return rotation === null && lastRotation !== null && lastRotation.adoptedAt === null;
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
