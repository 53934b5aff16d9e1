// The JSON API as a script would use it: to prepare what a test needs, and to be the other admin.
import { randomBytes, randomUUID } from 'node:crypto';
import { ADMIN } from './dashboard.js';

/** @typedef {Awaited<ReturnType<typeof signInApi>>} Api */

/**
 * @param {string} url
 * @param {{ username: string, password: string }} [who]
 */
export async function signInApi(url, who = ADMIN) {
  /** @type {Map<string, string>} */
  const cookies = new Map();

  /** As a browser would: in whatever order they come. @param {Headers} headers */
  function keepCookies(headers) {
    for (const line of headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=;]+)=([^;]*)/.exec(line) ?? [];
      if (value === '') cookies.delete(name);
      else cookies.set(name, value);
    }
  }

  /**
   * @param {string} method
   * @param {string} path below /api/v1
   * @param {unknown} [body]
   */
  async function attempt(method, path, body) {
    const answer = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: { cookie: [...cookies].map((pair) => pair.join('=')).join('; '), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    keepCookies(answer.headers);
    const text = await answer.text();
    const json = answer.headers.get('content-type')?.includes('json') === true;
    return { status: answer.status, headers: answer.headers, body: json ? JSON.parse(text) : text };
  }

  /**
   * As `attempt`, but a refusal is an error.
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   */
  async function call(method, path, body) {
    const answer = await attempt(method, path, body);
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  const answer = await attempt('POST', '/auth/login', { username: who.username, password: who.password });
  if (answer.status !== 200) throw new Error(`cannot sign in as ${who.username}: ${JSON.stringify(answer.body)}`);

  return {
    attempt,
    call,
    me: answer.body,
    /** The session's cookie, for a browser that need not type. */
    cookie() {
      const [name, value] = [...cookies].find(([name]) => name.endsWith('proxima_session')) ?? [];
      if (name === undefined || value === undefined) throw new Error(`${who.username} has no session`);
      return { name, value, url };
    },
    /**
     * @param {string} username
     * @param {Record<string, unknown>} [more]
     */
    createCustomer: (username, more = {}) =>
      call('POST', '/users', { username, password: CUSTOMER_PASSWORD, role: 'CUSTOMER', ...more }),
    /**
     * @param {string} serverId
     * @param {{ port: number, backendUrl: string }[]} listeners
     */
    async configure(serverId, listeners) {
      const { generation } = await call('GET', `/servers/${serverId}/config`);
      return call('PUT', `/servers/${serverId}/config`, { generation, listeners });
    },
    /** @param {string} serverId */
    reveal: async (serverId) => /** @type {string} */ ((await call('POST', `/servers/${serverId}/license/reveal`)).apiKey),
  };
}

export const CUSTOMER_PASSWORD = 'copper-meadow-77-violin';

/**
 * A gateway that only heartbeats: what a box reports is then in the test's hands.
 * @param {string} url
 * @param {string} key
 * @param {Record<string, unknown>} [report]
 */
export function fakeGateway(url, key, report = {}) {
  const installId = randomUUID();
  const bootId = randomUUID();
  let sequence = 0;
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  /** @param {Record<string, unknown>} [more] */
  async function beat(more = {}) {
    sequence += 1;
    const answer = await fetch(`${url}/api/v1/heartbeat`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        'proxima-nonce': randomBytes(24).toString('base64url'),
      },
      body: JSON.stringify({
        version: '1.0.0',
        installId,
        bootId,
        sequence,
        phase: 'serving',
        uptimeSeconds: sequence,
        appliedConfig: null,
        rejectedConfig: null,
        host: { os: 'Debian GNU/Linux 12 (bookworm)', architecture: 'x86_64', hostname: 'vps-1' },
        counters: { requests: 0, bytesOut: 0, bytesIn: 0, backendErrors: 0 },
        ...report,
        ...more,
      }),
    });
    return { status: answer.status, body: await answer.json() };
  }
  return {
    beat,
    /** Goes on by itself, as a serving gateway does. */
    keepBeating() {
      timer ??= setInterval(() => void beat().catch(() => {}), 700);
    },
    stop() {
      clearInterval(timer);
    },
  };
}
