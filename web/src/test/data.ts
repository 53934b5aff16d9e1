import type { License, Server, ServerConfig, User } from '@/api/types';

export const SERVER_ID = '5b0f6a52-0f0c-4d5e-9f6b-0a4c6f3d1a11';
export const USER_ID = 'c3a3f9a8-5d1e-43a0-9f0b-7f35e8f0a222';

export function aServer(parts: Partial<Server> = {}): Server {
  return {
    id: SERVER_ID,
    name: "acme's Server",
    ownerId: USER_ID,
    ownerUsername: 'acme',
    status: 'ONLINE',
    license: { status: 'ACTIVE', graceExpiresAt: null },
    installedVersion: '1.0.0',
    lastHeartbeatAt: '2025-11-21T20:30:00Z',
    host: { os: 'Debian 12', architecture: 'x86_64', hostname: 'vps' },
    keyInUseOnHosts: 1,
    createdAt: '2025-11-01T00:00:00Z',
    ...parts,
  };
}

export function aUser(parts: Partial<User> = {}): User {
  return {
    id: USER_ID,
    username: 'acme',
    displayName: 'Acme',
    role: 'CUSTOMER',
    loginSlug: null,
    createdAt: '2025-11-01T00:00:00Z',
    server: aServer(),
    ...parts,
  };
}

export function aLicense(parts: Partial<License> = {}): License {
  return {
    serverId: SERVER_ID,
    maskedKey: 'pk_•••••…•Ab3f',
    status: 'ACTIVE',
    graceExpiresAt: null,
    installedVersion: '1.0.0',
    lastHeartbeatAt: '2025-11-21T20:30:00Z',
    defaultGraceDays: 5,
    ...parts,
  };
}

export function aConfig(parts: Partial<ServerConfig> = {}): ServerConfig {
  return {
    generation: 3,
    listeners: [{ port: 80, backendUrl: 'http://10.0.0.1:800' }],
    updatedAt: '2025-11-21T20:30:00Z',
    delivery: { state: 'APPLIED', reason: null },
    ...parts,
  };
}
