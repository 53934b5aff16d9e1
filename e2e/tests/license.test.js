// The license key, two admins at once, and deleting a customer whose gateway runs.
// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CUSTOMER_PASSWORD } from '../lib/api.js';
import { atPath, button, card, dialog, fact, field, goTo, gone, hasText, heading, openUser, signIn, toast, visible } from '../lib/pages.js';
import { freePort, knock } from '../lib/ports.js';
import { eventually } from '../lib/wait.js';
import { startWorld } from '../lib/world.js';

const world = await startWorld();

test('the key is masked, revealed, hidden and copied, and that is written down', async () => {
  const user = await world.admin.createCustomer('keeper');
  const key = await world.admin.reveal(user.server.id);
  const admin = await world.adminPage({ permissions: ['clipboard-read', 'clipboard-write'] });
  const { page } = admin;
  await page.goto(`/admin/users/${user.id}`);
  const shown = fact(page, 'License', 'License key').locator('.mono');
  await hasText(shown, `pk_•••••…•${key.slice(-4)}`);
  const reveals = async () => (await world.admin.call('GET', '/audit?action=server.license.reveal')).items.length;
  const before = await reveals();

  await button(page, 'Copy license key').click();
  await visible(page.getByRole('status').filter({ hasText: 'Copied' }));
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), key);
  assert.equal(await shown.innerText(), `pk_•••••…•${key.slice(-4)}`);
  assert.equal(await reveals(), before + 1);

  await button(page, 'Reveal license key').click();
  await hasText(shown, key);
  assert.equal(await reveals(), before + 2);
  await button(page, 'Hide license key').click();
  await hasText(shown, `pk_•••••…•${key.slice(-4)}`);
  assert.equal((await page.content()).includes(key), false, 'the hidden key is nowhere in the page');

  await button(page, 'Reveal license key').click();
  await hasText(shown, key);
  await page.reload();
  await hasText(shown, /•/);
  admin.problems.assertNone();
  await admin.close();
});

test('a customer never sees a key', async () => {
  const user = await world.admin.createCustomer('blind');
  const key = await world.admin.reveal(user.server.id);
  const customer = await world.person();
  const { page } = customer;
  /** @type {Promise<string>[]} */
  const answers = [];
  page.on('response', (response) => {
    if (response.url().includes('/api/')) answers.push(response.text().catch(() => ''));
  });
  await page.goto('/login');
  await signIn(page, { username: 'blind', password: CUSTOMER_PASSWORD });
  await visible(card(page, 'Manage'));
  await goTo(page, 'Account');
  await page.getByRole('link', { name: 'Security', exact: true }).click();
  await visible(card(page, 'Sessions').getByText('This device'));
  const everything = (await Promise.all(answers)).join('\n');
  assert.match(everything, /blind's Server/);
  assert.equal(everything.includes(key), false);
  assert.doesNotMatch(everything, /[ps]k_[\w-]{20}/);
  customer.problems.assertNone();
  await customer.close();
});

test('an admin who was slower is told the present state', async () => {
  const user = await world.admin.createCustomer('contested');
  const admin = await world.adminPage();
  const { page } = admin;
  admin.problems.allow(/^answer 409 POST .*\/license\/(revoke|reinstate)$/);
  // The page would notice by itself within seconds: here it must not, until the dialog is answered.
  let frozen = true;
  const address = /\/servers\/[^/]+\/license$/;
  const asItWas = await world.admin.call('GET', `/servers/${user.server.id}/license`);
  await page.route(address, (route) => (frozen ? route.fulfill({ json: asItWas }) : route.continue()));
  page.on('request', (request) => {
    if (request.method() === 'POST') frozen = false;
  });
  await page.goto(`/admin/users/${user.id}`);
  await button(page, 'Revoke').click();
  const revoking = dialog(page, 'Revoke license');
  await visible(revoking.box);
  await world.admin.call('POST', `/servers/${user.server.id}/license/revoke`, { graceSeconds: 3600 });
  await revoking.press('Revoke license');
  await visible(revoking.box.getByText(/changed this license in the meantime\. The license is GRACE now\./));
  await revoking.press('Cancel');
  await hasText(fact(page, 'License', 'Status'), 'GRACE');
  assert.ok(await button(page, 'Revoke').isDisabled());

  await button(page, 'Reinstate').click();
  const reinstating = dialog(page, 'Reinstate license');
  await visible(reinstating.box);
  Object.assign(asItWas, await world.admin.call('GET', `/servers/${user.server.id}/license`));
  frozen = true;
  await world.admin.call('POST', `/servers/${user.server.id}/license/reinstate`);
  await reinstating.press('Reinstate license');
  await visible(reinstating.box.getByText(/The license is ACTIVE now\./));
  await reinstating.press('Cancel');
  await hasText(fact(page, 'License', 'Status'), 'ACTIVE');
  const { items } = await world.admin.call('GET', `/audit?target=${user.server.id}&action=server.license.revoke`);
  assert.deepEqual(items.map((/** @type {{ outcome: string }} */ entry) => entry.outcome).sort(), ['FAILURE', 'SUCCESS']);
  admin.problems.assertNone();
  await admin.close();
});

test('deleting a customer takes the typed name, and stops their gateway', async () => {
  const [site, port] = [await world.site(), await freePort()];
  const user = await world.admin.createCustomer('leaving');
  await world.admin.configure(user.server.id, [{ port, backendUrl: site.url }]);
  const gateway = world.gateway('leaving');
  await gateway.install();
  gateway.run();
  await eventually('the gateway serves', async () => assert.equal(await knock(port), 'open'));

  const [admin, customer] = [await world.adminPage(), await world.person()];
  customer.problems.allow(/^answer 401 GET /);
  await customer.page.goto('/login');
  await signIn(customer.page, { username: 'leaving', password: CUSTOMER_PASSWORD });
  await visible(customer.page.getByText('Online', { exact: true }));

  const { page } = admin;
  await page.goto('/admin/users');
  const own = button(page, 'Delete admin');
  assert.equal(await own.getAttribute('aria-disabled'), 'true');
  await own.click({ force: true });
  await button(page, 'Delete leaving').click();
  const { box, confirmWith, press } = dialog(page, 'Delete leaving');
  const confirm = box.getByRole('button', { name: 'Delete user' });
  await visible(box.getByText(/stops at its next heartbeat/));
  assert.ok(await confirm.isDisabled());
  await confirmWith('leaving', 'leavin');
  assert.ok(await confirm.isDisabled());
  await confirmWith('leaving');
  await press('Delete user');
  await toast(page, 'leaving was deleted.');
  await gone(page.getByRole('link', { name: 'leaving', exact: true }));

  await eventually('the gateway stops', async () => assert.equal(await knock(port), 'ECONNREFUSED'));
  const before = gateway.starts();
  await eventually('it restarts in vain', () => assert.ok(gateway.starts() >= before + 2));
  assert.equal(await knock(port), 'ECONNREFUSED');
  await visible(customer.page.getByText('Your session has ended.'));
  admin.problems.assertNone();
  customer.problems.assertNone();
  await Promise.all([admin.close(), customer.close()]);
});

test('making a customer an admin takes the typed name and deletes the server; back again makes a new one', async () => {
  const user = await world.admin.createCustomer('rising');
  const admin = await world.adminPage();
  const { page } = admin;
  // The cards ask once more for the server that was just deleted.
  admin.problems.allow(new RegExp(`^answer 404 GET /api/v1/servers/${user.server.id}`));
  await page.goto('/admin/users');
  await openUser(page, 'rising');
  await field(page, 'Role').selectOption('ADMIN');
  await button(page, 'Save account').click();
  const { box, confirmWith, press } = dialog(page, 'Make rising an admin');
  await visible(box.getByText("rising's Server"));
  await confirmWith('rising');
  await press('Delete server and make admin');
  await toast(page, 'The account was saved.');
  await gone(card(page, 'License'));
  assert.equal((await world.admin.attempt('GET', `/servers/${user.server.id}`)).status, 404);

  await field(page, 'Role').selectOption('CUSTOMER');
  await field(page, 'Server name').fill('Second Home');
  await button(page, 'Save account').click();
  await toast(page, 'The account was saved.');
  await visible(card(page, 'License'));
  await hasText(fact(page, 'License', 'Status'), 'ACTIVE');
  assert.equal(await card(page, 'Server').getByLabel('Name').inputValue(), 'Second Home');
  admin.problems.assertNone();
  await admin.close();
});

test('leaving a half-filled form asks first', async () => {
  const user = await world.admin.createCustomer('undecided');
  const admin = await world.adminPage();
  const { page } = admin;
  await page.goto(`/admin/users/${user.id}`);
  await field(page, 'Display name').fill('Not saved yet');
  await goTo(page, 'Fleet');
  const leaving = dialog(page, 'Leave without saving?');
  await leaving.press('Stay');
  await atPath(page, `/admin/users/${user.id}`);
  assert.equal(await field(page, 'Display name').inputValue(), 'Not saved yet');
  await goTo(page, 'Fleet');
  await leaving.press('Leave page');
  await visible(heading(page, /^Fleet$/));
  assert.equal((await world.admin.call('GET', `/users/${user.id}`)).displayName, null);
  admin.problems.assertNone();
  await admin.close();
});
