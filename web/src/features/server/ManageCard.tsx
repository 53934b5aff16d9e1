import { useQuery } from '@tanstack/react-query';
import { serverConfigQuery } from '@/api/servers';
import type { ServerStatus } from '@/api/types';
import { Section } from '@/components/Section';
import { ErrorState, LoadingLines } from '@/components/States';
import { StatusDot } from '@/components/StatusDot';
import { DELIVERY } from '@/lib/words';
import { ManageForm } from './ManageForm';

interface ManageCardProps {
  serverId: string;
  serverStatus: ServerStatus;
}

/** The same for the customer and for the admin who helps them. */
export function ManageCard({ serverId, serverStatus }: ManageCardProps) {
  const config = useQuery(serverConfigQuery(serverId));
  return (
    <Section
      title="Manage"
      hint="Which ports visitors use, and where their requests go."
      aside={config.data && <StatusDot {...DELIVERY[config.data.delivery.state]} />}
    >
      {config.data !== undefined ? (
        <ManageForm key={serverId} serverId={serverId} config={config.data} serverStatus={serverStatus} />
      ) : config.isError ? (
        <ErrorState what="The configuration" error={config.error} onRetry={() => void config.refetch()} retrying={config.isFetching} />
      ) : (
        <LoadingLines />
      )}
    </Section>
  );
}
