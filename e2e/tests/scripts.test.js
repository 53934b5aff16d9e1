// Whatever somebody stores is text on every page: no script of theirs ever runs.
// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CUSTOMER_PASSWORD, fakeGateway } from '../lib/api.js';
import { ADMIN } from '../lib/dashboard.js';
import { assertInert, BREAKER, CLOSER, LINK, LONG, SINGLE, TAG, TEMPLATE } from '../lib/inert.js';
import { button, card, dialog, field, gone, heading, toast, visible } from '../lib/pages.js';
import { startWorld } from '../lib/world.js';

const world = await startWorld();

/** One customer for each payload: as display name, as server name, in what their gateway says. */
const payloads = [TAG, BREAKER, SINGLE, LINK, CLOSER, TEMPLATE];
/** @type {any[]} */
const users = [];
for (const [index, payload] of payloads.entries()) {
  const user = await world.admin.createCustomer(`payload${index}`, { displayName: payload.slice(0, 64), serverName: payload.slice(0, 64), loginSlug: `payload${index}` });
  await world.admin.configure(user.server.id, [{ port: 8080, backendUrl: 'http://127.0.0.1:3000' }]);
  const { generation } = await world.admin.call('GET', `/servers/${user.server.id}/config`);
  const gateway = fakeGateway(world.url, await world.admin.reveal(user.server.id), {
    version: payload,
    host: { os: LONG, architecture: payload, hostname: LONG },
    rejectedConfig: { generation: { incarnation: 1, number: generation }, reason: LONG },
  });
  const { status } = await gateway.beat();
  assert.equal(status, 200);
  users.push(user);
}

test('what is not a name, an address or a URL is refused before it is stored', async () => {
  const { id } = users[0].server;
  const { generation } = await world.admin.call('GET', `/servers/${id}/config`);
  for (const payload of payloads) {
    for (const [method, path, body] of /** @type {const} */ ([
      ['POST', '/users', { username: payload, password: CUSTOMER_PASSWORD, role: 'CUSTOMER' }],
      ['POST', '/users', { username: 'fine', password: CUSTOMER_PASSWORD, role: 'CUSTOMER', loginSlug: payload }],
      ['PUT', `/servers/${id}/config`, { generation, listeners: [{ port: 80, backendUrl: payload }] }],
      ['PUT', `/servers/${id}/config`, { generation, listeners: [{ port: 80, backendUrl: `http://host/${payload}` }] }],
      ['PUT', '/settings', { dashboardIpAllowlist: [payload], offlineLimitDays: null }],
    ])) {
      assert.equal((await world.admin.attempt(method, path, body)).status, 422, `${method} ${path} ${JSON.stringify(body)}`);
    }
  }
});

test('no script runs on any page of an admin', { timeout: 120_000 }, async () => {
  const admin = await world.adminPage();
  const { page } = admin;
  await page.goto('/admin/fleet');
  await visible(page.getByRole('table', { name: 'Needs attention' }).getByText(TAG).first());
  await assertInert(admin, 'fleet');
  await page.goto('/admin/users');
  for (const payload of payloads) await visible(page.getByText(payload.slice(0, 64)));
  await assertInert(admin, 'users');
  for (const [index, user] of users.entries()) {
    const name = payloads[index]?.slice(0, 64) ?? '';
    await page.goto(`/admin/users/${user.id}`);
    await visible(page.getByRole('heading', { name, exact: true, level: 1 }));
    await visible(card(page, 'Manage').getByText(`Reason: ${LONG}`));
    await visible(card(page, 'Server').getByText(LONG).first());
    assert.equal(await page.title(), `${name} · Proxima Gateway`);
    await assertInert(admin, `user ${user.username}`);
  }
  await button(page, 'Delete user').click();
  await visible(dialog(page, 'Delete payload5').box.getByText(TEMPLATE.slice(0, 64)));
  await assertInert(admin, 'delete dialog');
  await page.goto(`/admin/audit`);
  const details = page.getByRole('button', { name: /Show details/ });
  await visible(details);
  while ((await details.count()) > 0) await details.first().click();
  await visible(page.getByText(TAG));
  await assertInert(admin, 'audit log');
  await page.goto(`/admin/audit?action=${encodeURIComponent(TAG)}&actor=${encodeURIComponent(BREAKER)}&target=${encodeURIComponent(SINGLE)}`);
  await visible(page.getByText('No entries match'));
  await assertInert(admin, 'audit filters');
  await page.goto(`/admin/users?search=${encodeURIComponent(BREAKER)}`);
  await visible(page.getByRole('link', { name: 'payload1', exact: true }));
  await assertInert(admin, 'users search');
  await admin.close();
});

test('what is typed into the forms comes back as text, in messages too', async () => {
  const admin = await world.adminPage();
  const { page } = admin;
  admin.problems.allow(/^answer 4\d\d PUT \/api\/v1\/settings$/);
  await page.goto(`/admin/users/${users[0].id}`);
  await card(page, 'Server').getByLabel('Name').fill(BREAKER);
  await button(page, 'Rename').click();
  await toast(page, 'The server was renamed.');
  await page.goto('/admin/users/new');
  await field(page, 'Username').fill('typed');
  await field(page, 'Password').fill(CUSTOMER_PASSWORD);
  await field(page, 'Server name').fill(CLOSER);
  await button(page, 'Create User').click();
  const message = page.getByRole('alert').filter({ hasText: CLOSER });
  await visible(message);
  await assertInert(admin, 'message');
  await page.goto('/admin/settings');
  for (const [title, label] of [['Dashboard IP allowlist', 'Add IP addresses or CIDR ranges'], ['Outbound ranges', 'Add private addresses or ranges']]) {
    await card(page, title).getByLabel(label).fill(TAG);
    await card(page, title).getByRole('button', { name: 'Add', exact: true }).click();
    await visible(card(page, title).getByRole('alert').getByText(TAG));
    await assertInert(admin, title);
  }
  await button(page, 'Discard changes').click();
  await gone(page.getByText(TAG));
  await page.goto('/account');
  await field(page, 'Display name').fill(BREAKER);
  await button(page, 'Save profile').click();
  await toast(page, 'Your profile was saved.');
  await visible(page.getByRole('navigation', { name: 'Main' }).getByText(BREAKER));
  await assertInert(admin, 'profile');
  await admin.close();
});

test('no script runs on any page of a customer', { timeout: 120_000 }, async () => {
  for (const [index, user] of users.entries()) {
    const payload = payloads[index] ?? '';
    const customer = await world.person();
    const { page } = customer;
    await page.goto(`/login/${user.loginSlug}?redirect=${encodeURIComponent(LINK)}`);
    await visible(heading(page, /^Welcome, /));
    await assertInert(customer, 'login page');
    await field(page, 'Password').fill(CUSTOMER_PASSWORD);
    await button(page, 'Sign in').click();
    await visible(page.getByText(`Reason: ${LONG}`));
    await visible(page.getByRole('navigation', { name: 'Main' }).getByText(payload.slice(0, 64)));
    await assertInert(customer, `server of ${user.username}`);
    await page.goto('/account/security');
    await visible(card(page, 'Sessions').getByText('This device'));
    await assertInert(customer, `account of ${user.username}`);
    await customer.close();
  }
});

test("a browser's name is text in the list of sessions", async () => {
  const signedIn = await fetch(`${world.url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'user-agent': LONG },
    body: JSON.stringify(ADMIN),
  });
  assert.equal(signedIn.status, 200);
  const admin = await world.adminPage();
  await admin.page.goto('/account/security');
  await visible(card(admin.page, 'Sessions').locator(`[title*="__xss=1"]`));
  await assertInert(admin, 'sessions');
  await admin.close();
});
