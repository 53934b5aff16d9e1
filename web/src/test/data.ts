import type { Connection, ConnectionTest, Endpoint, JobDetails, JobStep, License, Server, ServerConfig, User } from '@/api/types';

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
    reinstallNeeded: false,
    keyInUseOnHosts: 1,
    management: null,
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
    passwordTemporaryUntil: null,
    server: aServer(),
    ...parts,
  };
}

export function aLicense(parts: Partial<License> = {}): License {
  return {
    serverId: SERVER_ID,
    maskedKey: 'pk_•••••…•Ab3f',
    rotation: null,
    lastRotation: null,
    status: 'ACTIVE',
    graceExpiresAt: null,
    installedVersion: '1.0.0',
    lastHeartbeatAt: '2025-11-21T20:30:00Z',
    defaultGraceDays: 5,
    defaultRotationLimitSeconds: 86_400,
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

export const FINGERPRINT = 'SHA256:AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg';

/** One that can be logged in to. */
export function aConnection(parts: Partial<Connection> = {}): Connection {
  return {
    host: '203.0.113.7',
    port: 22,
    user: 'root',
    credential: { kind: 'PASSWORD', storedAt: '2025-11-21T20:00:00Z' },
    sudoPasswordStored: false,
    hostKey: { algorithm: 'ssh-ed25519', fingerprint: FINGERPRINT, confirmedAt: '2025-11-21T20:00:00Z', confirmedBy: 'acme' },
    shownHostKey: { algorithm: 'ssh-ed25519', fingerprint: FINGERPRINT, shownAt: '2025-11-21T20:00:00Z' },
    hostKeyState: 'CONFIRMED',
    updatedAt: '2025-11-21T20:00:00Z',
    ...parts,
  };
}

/** Before anything was saved. */
export const NO_CONNECTION = aConnection({
  host: null,
  port: null,
  user: null,
  credential: null,
  hostKey: null,
  shownHostKey: null,
  hostKeyState: 'NONE',
  updatedAt: null,
});

export function aTest(parts: Partial<ConnectionTest> = {}): ConnectionTest {
  return {
    connection: aConnection(),
    steps: [
      { title: 'Connect', state: 'DONE' },
      { title: 'Log in', state: 'DONE' },
    ],
    facts: {
      osName: 'Debian GNU/Linux 12 (bookworm)',
      architecture: 'x86_64',
      systemdRunning: true,
      systemdVersion: 252,
      disks: [{ path: '/var', freeKib: 12 * 1024 * 1024 }],
    },
    problem: null,
    warnings: [],
    ...parts,
  };
}

export const JOB_ID = '0192f0c1-2222-7333-8444-555566667777';

export function aStep(parts: Partial<JobStep> = {}): JobStep {
  return {
    id: 'CONNECT',
    title: 'Connect',
    will: 'Open a connection to the server’s SSH port.',
    undo: null,
    state: 'PENDING',
    problem: null,
    warnings: [],
    sentBytes: null,
    totalBytes: null,
    startedAt: null,
    finishedAt: null,
    ...parts,
  };
}

export function aJob(parts: Partial<JobDetails> = {}): JobDetails {
  return {
    id: JOB_ID,
    serverId: SERVER_ID,
    kind: 'INSTALL',
    state: 'RUNNING',
    requestedBy: 'acme',
    requestedAt: '2025-11-21T20:30:00Z',
    startedAt: '2025-11-21T20:30:01Z',
    finishedAt: null,
    cancelRequested: false,
    byCommand: false,
    problem: null,
    now: '2025-11-21T20:30:05Z',
    steps: [],
    log: [],
    logCursor: 0,
    remains: [],
    receipt: null,
    result: null,
    ...parts,
  };
}

export function anEndpoint(parts: Partial<Endpoint> = {}): Endpoint {
  return {
    id: '0192f0c1-3333-7333-8444-555566667777',
    kind: 'WEBHOOK',
    description: 'Chat',
    url: 'https://hooks.example.com/',
    recipients: [],
    events: ['license.expired'],
    enabled: true,
    disabledReason: null,
    disabledAt: null,
    failingSince: null,
    lastDeliveredAt: null,
    waiting: 0,
    previousSecretUntil: null,
    createdAt: '2025-11-21T20:00:00Z',
    updatedAt: '2025-11-21T20:00:00Z',
    ...parts,
  };
}
