import type { Connection, ConnectionTest } from '@/api/types';

/**
 * How far a connection is, by what the server stores: the same after a reload, and for everybody who looks.
 *
 * - `ADDRESS`: no address is saved, or its host key was never seen
 * - `CONFIRM`: its host key waits for a person to confirm it
 * - `CHANGED`: the host shows another key than the confirmed one; nothing goes on
 * - `LOGIN`: the key is confirmed, and nothing is stored to log in with
 * - `READY`: everything is there
 */
export type Stage = 'ADDRESS' | 'CONFIRM' | 'CHANGED' | 'LOGIN' | 'READY';

export function stageOf(connection: Connection): Stage {
  if (connection.host === null) return 'ADDRESS';
  switch (connection.hostKeyState) {
    case 'NONE':
      return 'ADDRESS';
    case 'UNCONFIRMED':
      return 'CONFIRM';
    case 'CHANGED':
      return 'CHANGED';
    case 'CONFIRMED':
      return connection.credential === null ? 'LOGIN' : 'READY';
  }
}

export function isKeyTrusted(connection: Connection): boolean {
  return connection.hostKeyState === 'CONFIRMED';
}

/** Problems that are cured by typing the login again. */
const LOGIN_REFUSED = new Set([
  'PASSWORD_REFUSED', 'KEY_REFUSED', 'KEY_UNREADABLE', 'PASSPHRASE_MISSING', 'PASSPHRASE_WRONG', 'METHOD_NOT_OFFERED', 'MORE_THAN_PASSWORD',
  'LOGIN_CUT_OFF', 'SUDO_PASSWORD_WRONG', 'SUDO_PASSWORD_MISSING',
]);

export function isLoginRefused(test: ConnectionTest): boolean {
  return test.problem !== null && LOGIN_REFUSED.has(test.problem.code);
}

/** Why nothing can be done on the server, or undefined. */
export function refusal(connection: Connection, busy: boolean): string | undefined {
  if (busy) return 'Wait until the present job has finished.';
  if (connection.host === null) return 'This dashboard cannot log in to the server. Connect it by SSH, or run an install command on it.';
  if (connection.hostKeyState === 'CHANGED') return 'The server’s host key has changed. Confirm it first.';
  return connection.hostKeyState === 'CONFIRMED' ? undefined : 'Confirm the server’s host key first.';
}

/** Where the host keeps the public half of the key that it shows; the default for a key we do not know. */
const KEY_FILES: Record<string, string> = {
  'ssh-ed25519': 'ed25519',
  'ssh-rsa': 'rsa',
  'rsa-sha2-256': 'rsa',
  'rsa-sha2-512': 'rsa',
  'ecdsa-sha2-nistp256': 'ecdsa',
  'ecdsa-sha2-nistp384': 'ecdsa',
  'ecdsa-sha2-nistp521': 'ecdsa',
};

/** Typed on the box itself, it prints the fingerprint to compare with. */
export function compareCommand(algorithm: string): string {
  return `ssh-keygen -lf /etc/ssh/ssh_host_${KEY_FILES[algorithm] ?? 'ed25519'}_key.pub`;
}

/** `root@203.0.113.7`, with the port where it is not SSH's own. */
export function addressText(connection: Connection): string {
  const host = connection.host ?? '';
  const port = connection.port === null || connection.port === 22 ? '' : `:${connection.port}`;
  return `${connection.user ?? ''}@${host.includes(':') && port !== '' ? `[${host}]` : host}${port}`;
}
