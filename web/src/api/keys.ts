import { queryOptions } from '@tanstack/react-query';
import { loose, unwrap } from './client';

export type KeyState = 'ACTIVE' | 'ANNOUNCED' | 'REPLACED' | 'RETIRED' | 'LOST';

export interface MasterKey {
  id: number;
  state: KeyState;
  createdAt: string;
  activatedAt: string | null;
  retiredAt: string | null;
  held: boolean;
}

export interface SigningKey extends MasterKey {
  keyId: string;
  publicKey: string;
  gateways: number;
}

export interface DashboardInstance {
  hostname: string;
  version: string;
  startedAt: string;
  seenAt: string;
  masterKeyIds: number[];
  signingKeyIds: number[];
  problems: string[];
}

export interface Keys {
  masterKeys: MasterKey[];
  signingKeys: SigningKey[];
  gateways: number;
  following: number;
  dashboards: DashboardInstance[];
  problems: string[];
}

/** For admins. */
export const keysQuery = queryOptions({
  queryKey: ['keys'],
  queryFn: ({ signal }) => unwrap(loose.GET<Keys>('/api/v1/keys', { signal })),
  refetchInterval: 60_000,
  staleTime: 30_000,
});
