// What another site can do to somebody who is signed in here: nothing.
// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signInApi } from '../lib/api.js';
import { ADMIN } from '../lib/dashboard.js';
import { atPath, field, heading, signIn, visible } from '../lib/pages.js';
import { eventually } from '../lib/wait.js';
import { startWorld } from '../lib/world.js';

const world = await startWorld();
const EVIL = 'http://evil.example';

/**
 * A page of another site, in a browser in which an admin is signed in here.
 * @param {string} html
 */
async function evilPage(html) {
  const person = await world.adminPage();
  // The page itself provokes refusals; what matters is what the dashboard did.
  person.problems.allow(/./);
  await person.context.route(`${EVIL}/**`, (route) => route.fulfill({ contentType: 'text/html', body: html }));
  await person.page.goto(`${EVIL}/`);
  return person;
}

const customers = async () => (await world.admin.call('GET', '/users?limit=200')).items.length;

test('a page of ours in a frame shows nothing', async () => {
  const { page, close } = await evilPage(`<iframe src="${world.url}/admin/users" width="900" height="600"></iframe>`);
  const frame = await (await page.waitForSelector('iframe')).contentFrame();
  assert.ok(frame);
  await eventually('chromium puts an error into the frame', () => assert.match(frame.url(), /^chrome-error:/));
  const { headers } = await world.admin.attempt('GET', '/me');
  assert.equal(headers.get('x-frame-options'), 'DENY');
  const html = await fetch(`${world.url}/admin/users`);
  assert.match(html.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/);
  await close();
});

test('a form of another site changes nothing', async () => {
  const before = await customers();
  const { page, close } = await evilPage(
    `<form method="post" enctype="text/plain" action="${world.url}/api/v1/users">
      <input name='{"username":"smuggled","password":"copper-meadow-77-violin","role":"CUSTOMER","displayName":"' value='"}'></form>
    <script>document.forms[0].submit()</script>`,
  );
  await eventually('it was sent', () => assert.equal(new URL(page.url()).origin, world.url));
  assert.match(await page.content(), /cross_origin|cross-origin|unauthenticated/i);
  assert.equal(await customers(), before);
  await close();
});

test('a script of another site reads and changes nothing', async () => {
  const before = await customers();
  const { page, close } = await evilPage('<title>elsewhere</title>');
  const results = await page.evaluate(async (url) => {
    const body = JSON.stringify({ username: 'smuggled', password: 'copper-meadow-77-violin', role: 'CUSTOMER' });
    /** @param {string} path @param {RequestInit} init */
    const attempt = (path, init) =>
      fetch(url + path, { credentials: 'include', ...init }).then(
        async (answer) => `${answer.type} ${answer.status} ${(await answer.text()).length}`,
        () => 'refused',
      );
    return [
      await attempt('/api/v1/me', {}),
      await attempt('/api/v1/me', { mode: 'no-cors' }),
      await attempt('/api/v1/users', { method: 'POST', body, headers: { 'content-type': 'application/json' } }),
      await attempt('/api/v1/users', { method: 'POST', body, mode: 'no-cors' }),
      await attempt('/api/v1/auth/logout', { method: 'POST', mode: 'no-cors' }),
    ];
  }, world.url);
  // Opaque answers tell nothing, not even their status.
  for (const result of results) assert.match(result, /^(refused|opaque 0 0)$/);
  assert.equal(await customers(), before);
  await page.goto(`${world.url}/admin/fleet`);
  await visible(heading(page, /^Fleet$/));
  await close();
});

test('the session is a cookie that scripts and other sites do not get, and a new one at each sign-in', async () => {
  const { page, context, close } = await world.person();
  // Fixation: whatever stood there before signing in is not what counts afterwards.
  const { name } = world.admin.cookie();
  await context.addCookies([{ name, value: 'chosen-by-somebody-else', url: world.url }]);
  await page.goto('/login');
  await visible(field(page, 'Username'));
  await signIn(page, ADMIN);
  await atPath(page, '/admin/fleet');
  const cookies = await context.cookies(world.url);
  const session = cookies.find((cookie) => cookie.name === name);
  assert.ok(session);
  assert.notEqual(session.value, 'chosen-by-somebody-else');
  assert.notEqual(session.value, world.admin.cookie().value);
  assert.deepEqual({ httpOnly: session.httpOnly, sameSite: session.sameSite, path: session.path }, { httpOnly: true, sameSite: 'Strict', path: '/' });
  assert.equal(await page.evaluate(() => document.cookie), '');
  assert.deepEqual(await page.evaluate(() => Object.keys(localStorage).filter((key) => !key.startsWith('proxima.') && !key.startsWith('mantine'))), []);
  const second = await signInApi(world.url);
  assert.notEqual(second.cookie().value, session.value);
  await close();
});
