// What the pages do when something is slow, empty, broken, or changed by somebody else.
// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CUSTOMER_PASSWORD, signInApi } from '../lib/api.js';
import { button, card, field, fillListener, goTo, gone, hasText, heading, toast, visible } from '../lib/pages.js';
import { freePort } from '../lib/ports.js';
import { SITE_TITLE } from '../lib/site.js';
import { eventually } from '../lib/wait.js';
import { startWorld } from '../lib/world.js';

const world = await startWorld();
const mara = await world.admin.createCustomer('mara');
const MARA = { username: 'mara', password: CUSTOMER_PASSWORD };
const PROBLEM = { type: 'urn:proxima:problem:internal', title: 'Internal error', status: 500, detail: 'Something broke.', code: 'internal', requestId: 'r-4711' };

test('two tabs: a save on an old version loses nothing that was typed', async () => {
  const { page: one, context, problems, close } = await world.person({ api: await signInApi(world.url, MARA) });
  problems.allow(/^answer 409 PUT .*\/config$/);
  await world.admin.configure(mara.server.id, [{ port: 8081, backendUrl: 'http://127.0.0.1:3001' }]);
  const two = await context.newPage();
  await Promise.all([one.goto('/app'), two.goto('/app')]);
  for (const page of [one, two]) await visible(page.getByRole('group', { name: 'Listener 1' }));
  await fillListener(one, 1, { port: 9001, backendUrl: 'http://127.0.0.1:3001' });
  await button(one, 'Add port').click();
  await fillListener(one, 2, { port: 9002, backendUrl: 'http://10.0.0.5:8000' });
  await fillListener(two, 1, { port: 9090, backendUrl: 'http://127.0.0.1:3999' });
  await button(two, 'Save configuration').click();
  await toast(two, 'The configuration was saved.');
  await button(one, 'Save configuration').click();
  const notice = one.getByRole('alert').filter({ hasText: 'The configuration was changed elsewhere in the meantime' });
  await visible(notice);
  await hasText(notice, /9090 → http:\/\/127\.0\.0\.1:3999/);
  const second = one.getByRole('group', { name: 'Listener 2' });
  assert.equal(await second.getByLabel('Backend URL').inputValue(), 'http://10.0.0.5:8000');
  assert.equal(await one.getByRole('group', { name: 'Listener 1' }).getByLabel('Listen port').inputValue(), '9001');
  await button(one, 'Keep my changes').click();
  await button(one, 'Save configuration').click();
  await toast(one, 'The configuration was saved.');
  const { listeners } = await world.admin.call('GET', `/servers/${mara.server.id}/config`);
  assert.deepEqual(listeners.map((/** @type {{ port: number }} */ { port }) => port), [9001, 9002]);
  await eventually('the other tab follows by itself', async () => assert.equal(await two.getByRole('group', { name: 'Listener 2' }).getByLabel('Listen port').inputValue(), '9002'));
  problems.assertNone();
  await close();
});

test('bad ports and backends are said at their fields', async () => {
  const user = await world.admin.createCustomer('typo');
  const { page, problems, close } = await world.adminPage();
  problems.allow(/^answer 422 PUT .*\/config$/);
  await page.goto(`/admin/users/${user.id}`);
  await button(page, 'Add port').click();
  await fillListener(page, 1, { port: 70000, backendUrl: 'ftp://example.com' });
  await button(page, 'Add port').click();
  await fillListener(page, 2, { port: 6060, backendUrl: 'http://127.0.0.1:3000' });
  await button(page, 'Save configuration').click();
  const [one, two] = [1, 2].map((index) => page.getByRole('group', { name: `Listener ${index}` }));
  assert.ok(one && two);
  await visible(one.getByText('Use a port from 1 to 65535.'));
  await visible(one.getByText('Use the form http://host:port or https://host:port.'));
  await fillListener(page, 1, { port: 3000, backendUrl: 'http://localhost:3000' });
  await button(page, 'Save configuration').click();
  await visible(two.getByText("Port 6060 is the gateway's own management port. Choose another one."));
  assert.equal(await one.getByLabel('Backend URL').inputValue(), 'http://localhost:3000');
  await button(page, 'Remove port 2').click();
  await button(page, 'Save configuration').click();
  await visible(one.getByText(/requests would go in circles/));
  await button(page, 'Discard changes').click();
  await gone(one);
  problems.assertNone();
  await close();
});

test('while the dashboard is away pages say so, traffic goes on, and all recover by themselves', { timeout: 180_000 }, async () => {
  const [site, port] = [await world.site(), await freePort()];
  const user = await world.admin.createCustomer('steady');
  await world.admin.configure(user.server.id, [{ port, backendUrl: site.url }]);
  const gateway = world.gateway('steady');
  await gateway.install();
  gateway.run();
  const away = /^(console: .*(Failed to fetch|Unable to preload CSS)|failed net::ERR_CONNECTION_REFUSED|exception: Failed to fetch dynamically)/;
  const [customer, admin, fresh, visitor] = await Promise.all([
    world.person({ api: await signInApi(world.url, { username: 'steady', password: CUSTOMER_PASSWORD }) }),
    world.adminPage(),
    world.adminPage(),
    world.person(),
  ]);
  for (const { problems } of [customer, admin, fresh]) problems.allow(away);
  await customer.page.goto('/app');
  await visible(customer.page.getByText('Online', { exact: true }));
  await admin.page.goto('/admin/fleet');
  await visible(admin.page.getByRole('list', { name: 'Servers by state' }));
  await fresh.page.goto('/admin/users/new');
  await visible(field(fresh.page, 'Username'));
  await field(fresh.page, 'Username').fill('newcomer');
  await field(fresh.page, 'Password').fill(CUSTOMER_PASSWORD);

  await world.dashboard.pause();
  for (const { page } of [customer, admin]) await visible(page.getByText(/^What you see is from .* and may be out of date$/));
  await visible(customer.page.getByText(/^Online at \d\d:\d\d UTC, now unknown$/));
  await gone(customer.page.getByText('Online', { exact: true }));
  await button(fresh.page, 'Create User').click();
  await visible(fresh.page.getByText('The user was not created'));
  assert.equal(await field(fresh.page, 'Username').inputValue(), 'newcomer');
  await goTo(admin.page, 'Settings');
  await visible(admin.page.getByText(/could not be loaded/));
  await visible(button(admin.page, 'Retry'));
  await visitor.page.goto(`http://127.0.0.1:${port}/`);
  await visible(visitor.page.getByRole('heading', { name: SITE_TITLE }));

  await world.dashboard.resume();
  await gone(customer.page.getByText(/may be out of date$/));
  await visible(customer.page.getByText('Online', { exact: true }));
  // By itself: nobody presses Retry.
  await visible(heading(admin.page, /^Settings$/));
  await visible(card(admin.page, 'Offline limit'));
  await button(fresh.page, 'Create User').click();
  await visible(card(fresh.page, 'License'));
  for (const person of [customer, admin, fresh, visitor]) {
    person.problems.assertNone();
    await person.close();
  }
});

/** Every list: where it is, what it asks for, the words for its failure, and something that it shows when all is well. */
const LISTS = /** @type {const} */ ([
  { path: '/admin/fleet', asks: '**/api/v1/fleet', failure: 'The fleet could not be loaded', shows: 'All servers' },
  { path: '/admin/users', asks: '**/api/v1/users?*', failure: 'The users could not be loaded', shows: 'mara' },
  { path: '/admin/audit', asks: '**/api/v1/audit?*', failure: 'The audit log could not be loaded', shows: 'user.create' },
  { path: '/admin/settings', asks: '**/api/v1/settings', failure: 'The settings could not be loaded', shows: 'Offline limit in days' },
  { path: '/account/security', asks: '**/api/v1/me/sessions', failure: 'Your sessions could not be loaded', shows: 'This device' },
  { path: `/admin/users/${mara.id}`, asks: '**/api/v1/servers/*/license', failure: 'The license could not be loaded', shows: 'License key' },
  { path: `/admin/users/${mara.id}`, asks: '**/api/v1/servers/*/config', failure: 'The configuration could not be loaded', shows: 'Listen port' },
]);

for (const { path, asks, failure, shows } of LISTS) {
  test(`${failure}: slow, broken, and well again`, async () => {
    const { page, problems, close } = await world.adminPage();
    problems.allow(/^answer 500 GET /);
    /** @type {() => void} */
    let answer = () => {};
    const held = new Promise((resolve) => (answer = () => resolve(undefined)));
    let broken = true;
    await page.route(asks, async (route) => {
      await held;
      await (broken ? route.fulfill({ status: 500, contentType: 'application/problem+json', json: PROBLEM }) : route.continue());
    });
    await page.goto(path);
    await visible(page.locator('[aria-busy="true"], [role="status"][aria-label="Loading"], .mantine-Skeleton-root'));
    assert.equal(await page.getByText(failure).count(), 0);
    answer();
    await visible(page.getByText(failure));
    await visible(page.getByText('r-4711'));
    broken = false;
    await button(page, 'Retry').click();
    await visible(page.getByText(shows).first());
    await gone(page.getByText(failure));
    problems.assertNone();
    await close();
  });
}

test('empty lists say what to do first', async () => {
  const { page, problems, close } = await world.adminPage();
  await page.route('**/api/v1/fleet', async (route) => {
    const real = await (await route.fetch()).json();
    await route.fulfill({ json: { counts: Object.fromEntries(Object.keys(real.counts).map((key) => [key, 0])), attention: [] } });
  });
  await page.route('**/api/v1/users?*', async (route) => {
    const real = await (await route.fetch()).json();
    await route.fulfill({ json: { ...real, items: real.items.filter((/** @type {{ username: string }} */ { username }) => username === 'admin'), nextCursor: null } });
  });
  await page.route('**/api/v1/audit?*', (route) => route.fulfill({ json: { items: [], nextCursor: null } }));
  await page.goto('/admin/fleet');
  await visible(page.getByText('No servers yet'));
  await visible(page.getByRole('link', { name: 'Add your first customer' }));
  await page.goto('/admin/users');
  await visible(page.getByText('Only you so far'));
  await page.goto('/admin/users?search=zzz');
  await visible(page.getByText('No users match').or(page.getByRole('link', { name: 'admin', exact: true })));
  await page.goto('/admin/audit');
  await visible(page.getByText('Nothing has been recorded yet'));
  problems.assertNone();
  const customer = await world.person({ api: await signInApi(world.url, MARA) });
  await customer.page.route('**/api/v1/servers?*', (route) => route.fulfill({ json: { items: [], nextCursor: null } }));
  await customer.page.goto('/app');
  await visible(customer.page.getByText('No server yet'));
  customer.problems.assertNone();
  await Promise.all([close(), customer.close()]);
});

test('long lists come page by page', async () => {
  const { page, problems, close } = await world.adminPage();
  for (let index = 0; index < 60; index += 1) await world.admin.createCustomer(`bulk-${String(index).padStart(2, '0')}`);
  await page.goto('/admin/users?search=bulk-');
  const links = page.getByRole('link', { name: /^bulk-/ });
  await eventually('the first page', async () => assert.equal(await links.count(), 50));
  await button(page, 'Load more').click();
  await eventually('all of them', async () => assert.equal(await links.count(), 60));
  assert.equal(await button(page, 'Load more').count(), 0);
  assert.equal(new Set(await links.allInnerTexts()).size, 60);
  problems.assertNone();
  await close();
});
