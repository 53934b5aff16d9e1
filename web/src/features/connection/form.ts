import type { UseFormReturnType } from '@mantine/form';
import type { Connection, SaveConnectionRequest } from '@/api/types';
import { portProblem } from '@/lib/rules';

export type LoginMethod = 'PASSWORD' | 'PRIVATE_KEY';

/** As it is typed. The names are the server's, so that its field errors find their fields. */
export interface ConnectValues {
  host: string;
  port: number | string;
  user: string;
  method: LoginMethod;
  password: string;
  privateKey: string;
  passphrase: string;
  sudoPassword: string;
}

export type ConnectFormApi = UseFormReturnType<ConnectValues>;

export function connectValues(connection: Connection): ConnectValues {
  return {
    host: connection.host ?? '',
    port: connection.port ?? 22,
    user: connection.user ?? 'root',
    method: connection.credential?.kind === 'PRIVATE_KEY' ? 'PRIVATE_KEY' : 'PASSWORD',
    password: '',
    privateKey: '',
    passphrase: '',
    sudoPassword: '',
  };
}

export const NO_SECRETS = { password: '', privateKey: '', passphrase: '', sudoPassword: '' };

export function hasSecret(values: ConnectValues): boolean {
  return values.method === 'PASSWORD' ? values.password !== '' : values.privateKey.trim() !== '';
}

/** Host names are the same in any case; the server stores them in lower case. */
function sameHost(connection: Connection, values: ConnectValues): boolean {
  return values.host.trim().toLowerCase() === connection.host && Number(values.port) === connection.port;
}

/** Whether what is typed is where the stored connection leads. */
export function sameAddress(connection: Connection, values: ConnectValues): boolean {
  return sameHost(connection, values) && values.user.trim() === connection.user;
}

/** Another host forgets the stored login, so it has to be typed again. */
export function needsSecret(connection: Connection, values: ConnectValues): boolean {
  return connection.credential === null || !sameHost(connection, values);
}

/** Where, and as whom: nothing secret. */
export function addressBody(values: ConnectValues): SaveConnectionRequest {
  return { host: values.host.trim(), port: Number(values.port), user: values.user.trim() };
}

/** The address as it is stored, for whoever only types the login. */
export function addressOf(connection: Connection): SaveConnectionRequest {
  return addressBody(connectValues(connection));
}

/** Everything. A secret that was left empty is left out, and so stays as it is stored. */
export function loginBody(values: ConnectValues): SaveConnectionRequest {
  const body = addressBody(values);
  if (values.method === 'PASSWORD') {
    if (values.password !== '') body.password = values.password;
  } else if (values.privateKey.trim() !== '') {
    body.privateKey = values.privateKey;
    if (values.passphrase !== '') body.passphrase = values.passphrase;
  }
  if (values.sudoPassword !== '') body.sudoPassword = values.sudoPassword;
  return body;
}

export function hostProblem(value: string): string | null {
  const host = value.trim();
  if (host === '') return 'Enter the address of your server, such as 203.0.113.7 or vps.example.com.';
  return /:\/\/|[/@\s]/.test(host) ? 'Enter the host alone, without ssh://, user or path.' : null;
}

export function userProblem(value: string): string | null {
  if (value.trim() === '') return 'Enter the user to log in as, such as root.';
  return /\s/.test(value.trim()) ? 'A user name has no spaces.' : null;
}

export function privateKeyProblem(value: string): string | null {
  const text = value.trim();
  if (text === '') return 'Paste the private key, or drop its file here.';
  if (/^(ssh-|ecdsa-|sk-)/.test(text)) return 'This is the public key. Use the private one: the file without “.pub”.';
  if (text.startsWith('PuTTY-User-Key-File')) return 'This is PuTTY’s own format. In PuTTYgen choose Conversions, then “Export OpenSSH key”.';
  return text.startsWith('-----BEGIN ') ? null : 'A private key begins with “-----BEGIN … PRIVATE KEY-----”.';
}

/** `secretNeeded` is false where a stored login may stay. */
export function connectRules(secretNeeded: (values: ConnectValues) => boolean) {
  return {
    host: hostProblem,
    port: portProblem,
    user: userProblem,
    password: (value: string, values: ConnectValues) =>
      values.method === 'PASSWORD' && value === '' && secretNeeded(values) ? 'Enter the password of this user.' : null,
    privateKey: (value: string, values: ConnectValues) =>
      values.method === 'PRIVATE_KEY' && (value.trim() !== '' || secretNeeded(values)) ? privateKeyProblem(value) : null,
  };
}
