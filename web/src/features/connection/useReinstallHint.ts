import { useQuery } from '@tanstack/react-query';
import { connectionQuery } from '@/api/connections';

/** What to do instead where this dashboard cannot log in and install again; null where it can. */
export function useReinstallHint(serverId: string): string | null {
  const connection = useQuery(connectionQuery(serverId));
  return connection.data?.host === null ? 'Make an install command under “Server access”, and run it on the server.' : null;
}
