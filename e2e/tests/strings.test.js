// Every text that somebody can send, listed from the API's document: stored ones are inert wherever they are shown.
// @ts-check
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { CUSTOMER_PASSWORD, fakeGateway, signInApi } from '../lib/api.js';
import { fillNamed, sentStrings } from '../lib/document.js';
import { assertInert, BREAKER, CLOSER, LINK, LONG, SINGLE, TAG, TEMPLATE } from '../lib/inert.js';
import { labOptions } from '../lib/lab.js';
import { visible } from '../lib/pages.js';
import { startWorld } from '../lib/world.js';

/**
 * What becomes of each. `shown`: stored, and shown somewhere; `refused`: has a form that no payload has; `unseen`: a secret, or
 * compared and forgotten; `filled`: the whole body is made from the document here, with a payload in every text of it.
 * @type {Record<string, { shown?: string[], refused?: string[], unseen?: string[] } | 'filled'>}
 */
const COVERED = {
  'POST /api/v1/users': { shown: ['displayName', 'serverName'], refused: ['loginSlug', 'username'], unseen: ['password'] },
  'PATCH /api/v1/users/{userId}': { shown: ['displayName', 'serverName'], refused: ['loginSlug', 'username'], unseen: ['confirmServerDeletion', 'password'] },
  'PATCH /api/v1/me': { shown: ['displayName'] },
  'PATCH /api/v1/servers/{serverId}': { shown: ['name'] },
  'PUT /api/v1/servers/{serverId}/config': { refused: ['listeners[].backendUrl'] },
  'PUT /api/v1/servers/{serverId}/connection': { shown: ['user'], refused: ['host'], unseen: ['passphrase', 'password', 'privateKey', 'sudoPassword'] },
  'POST /api/v1/servers/{serverId}/connection/host-key/confirm': { unseen: ['fingerprint'] },
  'PUT /api/v1/settings': { refused: ['dashboardIpAllowlist[]', 'outboundAllowlist[]'] },
  'POST /api/v1/notifications/endpoints': { shown: ['description', 'url'], refused: ['recipients[]'] },
  'PUT /api/v1/notifications/endpoints/{endpointId}': { shown: ['description', 'url'], refused: ['recipients[]'] },
  'PUT /api/v1/notifications/settings': { shown: ['smtp.username'], refused: ['smtp.from', 'smtp.host'], unseen: ['smtp.password'] },
  'POST /api/v1/notifications/settings/test': { refused: ['recipient'] },
  'POST /api/v1/me/passkeys': { shown: ['name'], unseen: ['credential'] },
  'PATCH /api/v1/me/passkeys/{passkeyId}': { shown: ['name'] },
  'POST /api/v1/auth/login': { unseen: ['password', 'slug', 'username'] },
  'POST /api/v1/auth/passkey': { unseen: ['credential', 'slug'] },
  'POST /api/v1/auth/second-factor': { unseen: ['code', 'credential'] },
  'POST /api/v1/auth/step-up': { unseen: ['code', 'credential', 'password'] },
  'POST /api/v1/me/password': { unseen: ['currentPassword', 'newPassword'] },
  'POST /api/v1/me/totp/confirm': { unseen: ['code'] },
  'POST /api/v1/heartbeat': 'filled',
  'POST /api/v1/install/claim': 'filled',
  'POST /api/v1/install/jobs/{jobId}/report': 'filled',
};

const PAYLOADS = [TAG, BREAKER, SINGLE, LINK, CLOSER, TEMPLATE];
const world = await startWorld({ dashboard: (folder, url) => [...labOptions(folder, url), '--allow-outbound', '127.0.0.1/32'] });
const { admin } = world;
const [failed, succeeded] = await Promise.all(['failing', 'installed'].map((name) => admin.createCustomer(name, { displayName: BREAKER, serverName: TAG })));
const connection = { host: '192.0.2.1', port: 22, user: SINGLE, password: 'secret-of-the-box-1' };

/** What a test's customers do on `/servers/{serverId}`. @param {string} username */
const theirs = (username) => signInApi(world.url, { username, password: CUSTOMER_PASSWORD });

/**
 * A box that runs the install command.
 * @param {any} user
 */
async function claim(user) {
  const { token } = await (await theirs(user.username)).call('POST', `/servers/${user.server.id}/install-token`);
  const reportToken = `pr_${randomBytes(32).toString('base64url')}`;
  /** @param {string} bearer @param {string} path @param {unknown} body */
  const send = async (bearer, path, body) => {
    const answer = await fetch(`${world.url}/api/v1/install/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    return JSON.parse(text);
  };
  const claimed = await send(token, 'claim', { ...fillNamed('ClaimRequest', LONG), protocol: 1, reportToken });
  let sequence = 0;
  return {
    claimed,
    /** @param {any[]} news @param {any} [end] */
    report: (news, end = null) => send(reportToken, `jobs/${claimed.job}/report`, { sequence: (sequence += 1), news, end }),
  };
}

const step = (/** @type {string} */ step, /** @type {string} */ state, said = false) => {
  const news = { ...fillNamed('News', LONG, 0), step, state };
  return said ? news : { ...news, problem: null, warnings: [] };
};
const line = (/** @type {string} */ step, /** @type {string} */ text) => ({ ...fillNamed('News', text, 1), step });

test('the list of texts that can be sent is whole', () => {
  const sent = sentStrings();
  const known = Object.fromEntries(Object.entries(COVERED).map(([operation, fields]) => [operation, fields === 'filled' ? (sent[operation] ?? []) : Object.values(fields).flat().sort()]));
  assert.deepEqual(sent, known);
});

test('what has a form is refused', async () => {
  const { id } = failed.server;
  const { generation } = await admin.call('GET', `/servers/${id}/config`);
  const settings = await admin.call('GET', '/notifications/settings');
  const endpoint = { description: 'x', url: 'https://hooks.example.com/', events: ['license.expired'], enabled: true };
  const user = { password: CUSTOMER_PASSWORD, role: 'CUSTOMER' };
  const smtp = { host: 'mail.example.com', port: 25, tls: 'NONE', from: 'proxima@example.com' };
  for (const payload of PAYLOADS) {
    for (const [method, path, body] of /** @type {const} */ ([
      ['POST', '/users', { ...user, username: payload }],
      ['POST', '/users', { ...user, username: 'fine', loginSlug: payload }],
      ['PATCH', `/users/${failed.id}`, { username: payload }],
      ['PATCH', `/users/${failed.id}`, { loginSlug: payload }],
      ['PUT', `/servers/${id}/config`, { generation, listeners: [{ port: 80, backendUrl: payload }] }],
      ['PUT', `/servers/${id}/config`, { generation, listeners: [{ port: 80, backendUrl: `http://host/${payload}` }] }],
      ['PUT', `/servers/${id}/connection`, { ...connection, host: payload }],
      ['PUT', '/settings', { dashboardIpAllowlist: [payload], offlineLimitDays: null }],
      ['PUT', '/settings', { dashboardIpAllowlist: [], outboundAllowlist: [payload], offlineLimitDays: null }],
      ['POST', '/notifications/endpoints', { ...endpoint, kind: 'WEBHOOK', url: payload }],
      ['POST', '/notifications/endpoints', { ...endpoint, kind: 'WEBHOOK', events: [payload] }],
      ['PUT', '/notifications/settings', { ...settings, updatedAt: undefined, smtp: { ...smtp, host: payload } }],
      ['PUT', '/notifications/settings', { ...settings, updatedAt: undefined, smtp: { ...smtp, from: payload } }],
    ])) {
      const as = path.endsWith('/connection') ? await theirs('failing') : admin;
      const answer = await as.attempt(method, path, body);
      assert.equal(answer.status, 422, `${method} ${path} ${JSON.stringify(body)}: ${JSON.stringify(answer.body)}`);
    }
  }
});

test('what boxes, jobs, host keys, passkeys and webhooks are called runs nowhere', { timeout: 120_000 }, async () => {
  for (const user of [failed, succeeded]) await (await theirs(user.username)).call('PUT', `/servers/${user.server.id}/connection`, connection);

  // An install that fails with everything a box can say.
  const bad = await claim(failed);
  await bad.report([step('FACTS', 'RUNNING'), line('FACTS', LONG), line('FACTS', TEMPLATE), step('FACTS', 'DONE', true), step('BINARY', 'RUNNING'), step('BINARY', 'FAILED', true)], {
    ...fillNamed('ReportEnd', LONG, 1), step: 'BINARY',
  });
  // One that succeeds: its gateway is heard first.
  const good = await claim(succeeded);
  await good.report([step('FACTS', 'RUNNING'), line('FACTS', LONG), step('FACTS', 'DONE'), step('HEARTBEAT', 'RUNNING')]);
  const { apiKey, installId } = JSON.parse(good.claimed.config);
  const report = fillNamed('HeartbeatRequest', LONG.slice(0, 64));
  const said = { version: report.version, host: report.host, installId, uptimeSeconds: 0 };
  const gateway = fakeGateway(world.url, apiKey, said);
  assert.equal((await gateway.beat()).status, 200);
  gateway.keepBeating();
  world.atEnd(() => gateway.stop());
  assert.equal((await good.report([])).proven, true);
  await good.report([], { ...fillNamed('ReportEnd', LONG, 0), receipt: { ...fillNamed('Receipt', LONG), version: 1, job: good.claimed.job } });

  // What only a host or a device can say comes through SSH and WebAuthn; here it is written where it is kept.
  const quoted = (/** @type {string} */ text) => `'${text.replaceAll("'", "''")}'`;
  await world.dashboard.sql(`UPDATE connections SET offered_algorithm = ${quoted(TAG)}, offered_fingerprint = ${quoted(LONG)}, offered_line = ${quoted(LONG)}, offered_at = now();
    UPDATE connections SET pinned_algorithm = ${quoted(SINGLE)}, pinned_fingerprint = ${quoted(BREAKER)}, pinned_line = ${quoted(LONG)}, pinned_at = now(), pinned_by = ${quoted(CLOSER)}, changed_at = now() WHERE server_id = '${succeeded.server.id}';
    INSERT INTO passkeys (id, user_id, credential_id, credential, name, synced) SELECT gen_random_uuid(), id, 'x', '{}', ${quoted(LONG)}, false FROM users WHERE username = 'admin'`);
  const { endpoint } = await admin.call('POST', '/notifications/endpoints', {
    kind: 'WEBHOOK', description: LONG.slice(0, 100), url: `https://hooks.example.com/${SINGLE}?q=${TAG}#`.replace('#', ''), events: ['license.expired'], enabled: true,
  });
  const settings = await admin.call('GET', '/notifications/settings');
  await admin.call('PUT', '/notifications/settings', { ...settings, updatedAt: undefined, smtp: { host: 'mail.example.com', port: 587, tls: 'STARTTLS', from: 'proxima@example.com', username: BREAKER, password: 'x' } });

  const operator = await world.adminPage();
  const { page } = operator;
  for (const [path, shows] of /** @type {[string, string][]} */ ([
    [`/admin/users/${failed.id}`, LONG],
    [`/admin/users/${succeeded.id}`, BREAKER],
    ['/admin/users', TAG],
    ['/admin/settings/notifications', LONG.slice(0, 100)],
    [`/admin/settings/notifications/${endpoint.id}`, LONG.slice(0, 100)],
    ['/admin/settings/keys', 'In use'],
    ['/account/security', LONG],
  ])) {
    await page.goto(path);
    await visible(page.getByText(shows).or(page.locator(`input[value=${JSON.stringify(shows)}]`)));
    await assertInert(operator, path);
  }
  await page.goto('/admin/audit');
  const details = page.getByRole('button', { name: /Show details/ });
  await visible(details);
  while ((await details.count()) > 0) await details.first().click();
  await assertInert(operator, 'audit log');
  await operator.close();

  for (const [user, ready, shows] of /** @type {const} */ ([[failed, 'Could not be put back', LONG], [succeeded, 'The server’s host key has changed', BREAKER]])) {
    const person = await world.person({ api: await theirs(user.username) });
    await person.page.goto('/app');
    await visible(person.page.getByText(ready));
    await visible(person.page.getByText(shows));
    await assertInert(person, `server of ${user.username}`);
    for (const more of await person.page.getByRole('button', { name: /^(Show|Details|Look)/ }).all()) {
      if (await more.isVisible()) await more.click();
    }
    await assertInert(person, `all of the server of ${user.username}`);
    if (user === failed) await visible(person.page.getByRole('log').getByText(LONG));
    await person.close();
  }
});
