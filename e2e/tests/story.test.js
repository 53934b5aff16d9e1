// The whole story, by clicks: from one form to gated traffic and back.
// @ts-check
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DESKTOP } from '../lib/browser.js';
import { ADMIN } from '../lib/dashboard.js';
import { look } from '../lib/look.js';
import { atPath, button, card, dialog, fact, field, fillListener, goTo, gone, hasText, heading, openUser, revoke, signIn, toast, visible } from '../lib/pages.js';
import { picture } from '../lib/pictures.js';
import { freePort, knock } from '../lib/ports.js';
import { SITE_TITLE } from '../lib/site.js';
import { steps } from '../lib/steps.js';
import { readCsv } from '../lib/csv.js';
import { eventually } from '../lib/wait.js';
import { startWorld } from '../lib/world.js';

const world = await startWorld();
const CUSTOMER = { username: 'harbour', password: 'walnut-rye-at-seven-81' };
/** What the admin sets; the customer replaces it at the first sign-in. */
const HANDED_OVER = 'copper-meadow-77-violin';
const SERVER = 'Harbour Bakery VPS';
const GRACE_SECONDS = 15;

test('from one form to gated traffic', { timeout: 240_000 }, async (t) => {
  const step = steps(t);
  const site = await world.site();
  const port = await freePort();
  const visitorUrl = `http://127.0.0.1:${port}/`;
  const gateway = world.gateway(CUSTOMER.username);
  const admin = await world.person();
  const customer = await world.person();
  const visitor = await world.person();
  const a = admin.page;
  const c = customer.page;
  const v = visitor.page;
  // The visitor meets a closed port on purpose.
  visitor.problems.allow(/ERR_CONNECTION_REFUSED/);
  const server = { id: '' };

  const traffic = async () => {
    await eventually('the website comes through the gateway', () => v.goto(visitorUrl, { timeout: 5_000 }));
    await visible(v.getByRole('heading', { name: SITE_TITLE }));
  };
  const refused = async () => {
    await eventually('the port is closed', async () => assert.equal(await knock(port), 'ECONNREFUSED'));
    await assert.rejects(v.goto(visitorUrl), /net::ERR_CONNECTION_REFUSED/);
  };
  const inRestartLoop = async () => {
    const before = gateway.starts();
    await eventually('the supervisor starts the gateway again and again', () => assert.ok(gateway.starts() >= before + 2));
    assert.equal(await knock(port), 'ECONNREFUSED');
  };

  await step('the admin signs in and finds an empty fleet', async () => {
    await a.goto('/');
    await atPath(a, '/login');
    await visible(heading(a, /^Sign in$/));
    await picture(a, 'tour/01-sign-in');
    await signIn(a, ADMIN);
    await visible(heading(a, /^Fleet$/));
    await visible(a.getByText('No servers yet'));
    await picture(a, 'tour/02-empty-fleet');
  });

  await step('the form names every bad field at once and keeps what was typed', async () => {
    await a.getByRole('link', { name: 'Add your first customer' }).click();
    await visible(heading(a, /^Add User$/));
    await field(a, 'Username').fill('-no');
    await field(a, 'Password').fill('short');
    await field(a, 'Display name').fill('x'.repeat(65));
    await field(a, 'Login URL slug').fill('?');
    await button(a, 'Create User').click();
    for (const problem of [/Use 2 to 32 lower-case letters, digits, dots/, /Use at least 8 characters/, /Use at most 64 characters/, /Use 2 to 32 lower-case letters, digits or dashes/]) {
      await visible(a.getByText(problem));
    }
    await eventually('the first bad field has the focus', async () => assert.equal(await field(a, 'Username').evaluate((e) => e === document.activeElement), true));
    assert.equal(await field(a, 'Username').inputValue(), '-no');
    assert.equal(await field(a, 'Login URL slug').inputValue(), '?');
  });

  await step('what only the server knows is said at the field too', async () => {
    admin.problems.allow(/^answer (409|422) POST \/api\/v1\/users$/);
    await field(a, 'Username').fill(ADMIN.username);
    await field(a, 'Password').fill('password123');
    await field(a, 'Display name').fill('Harbour Street Bakery');
    await field(a, 'Login URL slug').fill('admin');
    await field(a, 'Server name').fill(SERVER);
    await button(a, 'Create User').click();
    await visible(a.getByText('This word is reserved. Choose another one.'));
    await eventually('the weak password is refused', async () => assert.equal(await field(a, 'Password').getAttribute('aria-invalid'), 'true'));
    await picture(a, 'tour/03-form-errors');
    await field(a, 'Password').fill(HANDED_OVER);
    await field(a, 'Login URL slug').fill('harbour');
    await button(a, 'Create User').click();
    await visible(a.getByText('This username is taken. Choose another one.'));
    assert.equal(await field(a, 'Username').getAttribute('aria-invalid'), 'true');
    assert.equal(await field(a, 'Password').inputValue(), HANDED_OVER);
    assert.equal(await field(a, 'Server name').inputValue(), SERVER);
    await field(a, 'Username').fill(CUSTOMER.username);
    await button(a, 'Create User').click();
    await toast(a, `${CUSTOMER.username} was created with the server ${SERVER}.`);
    await visible(card(a, 'License'));
    await hasText(fact(a, 'License', 'Status'), 'ACTIVE');
    await goTo(a, 'Users');
    await hasText(a.getByRole('row', { name: CUSTOMER.username }), /Customer[\s\S]*Harbour Bakery VPS[\s\S]*Not installed[\s\S]*ACTIVE[\s\S]*Never/);
    await picture(a, 'tour/04-users');
    server.id = (await world.admin.call('GET', `/users?search=${CUSTOMER.username}`)).items[0].server.id;
  });

  await step('the customer signs in on their own page and sees the server', async () => {
    await world.admin.call('PUT', '/settings', { dashboardIpAllowlist: ['203.0.113.7', '2001:db8::/32'], offlineLimitDays: null });
    await c.goto('/login/harbour');
    await visible(heading(c, /^Welcome, Harbour Street Bakery$/));
    assert.equal(await field(c, 'Username').count(), 0);
    await field(c, 'Password').fill(HANDED_OVER);
    await button(c, 'Sign in').click();
    await visible(heading(c, /^Choose your own password$/));
    await look(c, 'choose-password');
    await field(c, 'Password you were given').fill(HANDED_OVER);
    await field(c, 'New password').fill(CUSTOMER.password);
    await button(c, 'Set password and continue').click();
    await visible(heading(c, new RegExp(`^${SERVER}$`)));
    await atPath(c, '/app');
    await visible(heading(c, /^Connect your server$/, 2));
    await visible(c.getByText('Not installed').first());
    await visible(c.getByText('203.0.113.7, 2001:db8::/32'));
    await picture(c, 'tour/05-connect-your-server');
  });

  await step('they set the port and the backend', async () => {
    await button(c, 'Add port').click();
    await fillListener(c, 1, { port, backendUrl: site.url });
    await button(c, 'Save configuration').click();
    await toast(c, 'The configuration was saved.');
    await visible(card(c, 'Manage').getByText('Pending'));
    await refused();
  });

  await step('the gateway starts, and the page shows it by itself', async () => {
    await gateway.install();
    gateway.run();
    await traffic();
    await picture(v, 'tour/06-the-website-through-the-gateway');
    await visible(c.getByText('Online', { exact: true }));
    await visible(card(c, 'Manage').getByText('Applied'));
    await gone(heading(c, /^Connect your server$/, 2));
    await picture(c, 'tour/07-online');
  });

  await step('the admin revokes: traffic goes on, the customer sees until when', async () => {
    await openUser(a, CUSTOMER.username);
    await revoke(a, GRACE_SECONDS);
    await hasText(fact(a, 'License', 'Status'), 'GRACE');
    await visible(fact(a, 'License', 'Grace expires'));
    await visible(c.getByText(/^License in grace period\. Service will stop on \d+ \w+ 20\d\d, \d\d:\d\d UTC\./));
    await picture(c, 'tour/08-grace-banner');
    await traffic();
  });

  await step('the grace passes: connections are refused while the gateway restarts in vain', async () => {
    await visible(c.getByText('License expired.'));
    await refused();
    await inRestartLoop();
    await visible(c.getByText('Stopped by license').first());
    await picture(c, 'tour/09-expired');
    await eventually('the License card says EXPIRED by itself', async () => assert.equal(await fact(a, 'License', 'Status').innerText(), 'EXPIRED'));
    assert.equal(await fact(a, 'License', 'Grace expires').count(), 0);
    await goTo(a, 'Fleet');
    await visible(a.getByRole('table', { name: 'Needs attention' }).getByText('Stopped by license'));
    await picture(a, 'tour/10-fleet-needs-attention');
  });

  await step('the admin reinstates: traffic returns by itself', async () => {
    await openUser(a, CUSTOMER.username);
    await a.setViewportSize({ width: 1280, height: 1040 });
    await picture(a, 'tour/11-edit-expired');
    await a.setViewportSize(DESKTOP);
    await button(a, 'Reinstate').click();
    await dialog(a, 'Reinstate license').press('Reinstate license');
    await toast(a, 'The license is ACTIVE again.');
    await traffic();
    await visible(c.getByText('Online', { exact: true }));
    await gone(c.getByText('License expired.'));
  });

  await step('the admin rotates the key: the gateway takes the new one, and traffic goes on', async () => {
    const key = fact(a, 'License', 'License key');
    const before = await key.innerText();
    await button(a, 'Rotate').click();
    await dialog(a, 'Rotate license key').press('Rotate key');
    await toast(a, 'The rotation has started.');
    await hasText(fact(a, 'License', 'Key rotation'), /^The gateway took the new key after /);
    assert.notEqual(await key.innerText(), before);
    await picture(a, 'tour/14-rotated');
    await traffic();
  });

  await step('the admin regenerates the key: the old one is refused', async () => {
    const before = await fact(a, 'License', 'License key').innerText();
    await button(a, 'Regenerate').click();
    const { box, confirmWith, press } = dialog(a, 'Regenerate license key');
    assert.ok(await box.getByRole('button', { name: 'Regenerate key' }).isDisabled());
    await confirmWith(CUSTOMER.username);
    await picture(a, 'tour/12-regenerate');
    await press('Regenerate key');
    await toast(a, 'A new license key was issued.');
    assert.notEqual(await fact(a, 'License', 'License key').innerText(), before);
    await refused();
    await inRestartLoop();
    await visible(c.getByText('Stopped: key retired', { exact: true }));
  });

  await step('with the new key traffic returns', async () => {
    await gateway.install();
    await traffic();
    await visible(c.getByText('Online', { exact: true }));
  });

  await step('the audit log tells all of it', async () => {
    await goTo(a, 'Audit Log');
    const table = a.getByRole('table', { name: 'Audit log' });
    await a.getByRole('textbox', { name: 'Filter by target' }).fill(SERVER);
    await atPath(a, /target=Harbour/);
    const actions = () => table.getByRole('row').locator('td[data-label="Action"]').allInnerTexts();
    const story = ['server.config.export', 'server.license.regenerate', 'server.license.rotate.end', 'server.license.rotate', 'server.license.reinstate', 'server.license.expire', 'server.license.revoke', 'server.config.export', 'server.config.update'];
    await eventually('newest first, the story of this server', async () => assert.deepEqual(await actions(), story));
    await picture(a, 'tour/13-audit-log');
    await a.getByRole('combobox', { name: 'Filter by action' }).fill('revoke');
    await a.getByRole('option', { name: 'server.license.revoke' }).click();
    await atPath(a, /action=server\.license\.revoke/);
    await eventually('one action', async () => assert.deepEqual(await actions(), ['server.license.revoke']));
    const row = table.getByRole('row').filter({ hasText: 'server.license.revoke' });
    await hasText(row, /admin[\s\S]*Harbour Bakery VPS[\s\S]*Success[\s\S]*127\.0\.0\.1/);
    await row.getByRole('button', { name: /Show details/ }).click();
    await visible(table.getByText(server.id));
    await hasText(table, new RegExp(String(GRACE_SECONDS)));
  });

  await step('the CSV export holds what the filtered page holds', async () => {
    await a.getByLabel('Clear action').click();
    await a.getByRole('textbox', { name: 'Filter by actor' }).fill(ADMIN.username);
    await atPath(a, /actor=admin/);
    await button(a, 'Export').click();
    const [download] = await Promise.all([a.waitForEvent('download'), a.getByRole('menuitem', { name: 'Export as CSV' }).click()]);
    const file = await download.path();
    const rows = readCsv(readFileSync(file, 'utf8'));
    const exported = rows.filter(({ id }) => id !== 'manifest');
    const { items } = await world.admin.call('GET', `/audit?limit=200&actor=${ADMIN.username}&target=${encodeURIComponent(SERVER)}`);
    assert.deepEqual(exported.map(({ action }) => action), ['server.license.regenerate', 'server.license.rotate', 'server.license.reinstate', 'server.license.revoke']);
    const plain = (/** @type {Record<string, any>[]} */ entries) => entries.map((entry) => ({
      ...Object.fromEntries(Object.entries(entry).map(([key, value]) => [key, String(value ?? '')])),
      metadata: typeof entry.metadata === 'string' ? JSON.parse(entry.metadata) : entry.metadata,
      time: new Date(entry.time).toISOString(),
    }));
    assert.deepEqual(plain(exported), plain(items));

    // The last row is the signed manifest.
    assert.equal(rows.at(-1)?.id, 'manifest');
    const signed = JSON.parse(rows.at(-1)?.metadata ?? '');
    const manifest = JSON.parse(signed.payload);
    assert.deepEqual(
      [manifest.rows, manifest.newestId, manifest.oldestId, manifest.exportedBy, manifest.filter],
      [exported.length, items[0].id, items.at(-1).id, ADMIN.username, { actor: ADMIN.username, target: SERVER }],
    );
    const { publicKey } = await world.admin.call('GET', '/audit/integrity');
    assert.equal(signed.keyId, publicKey.keyId);
    assert.match(await world.dashboard.verifyExport(file, publicKey.key), /^The export is good: 4 rows of rows with /);
    const forged = join(world.folder, 'forged.csv');
    writeFileSync(forged, readFileSync(file, 'utf8').replace('server.license.revoke', 'server.license.reveal'));
    await assert.rejects(world.dashboard.verifyExport(forged, publicKey.key), /the export is not good: row \d+ was edited/);
  });

  await step('the JSON Lines export is signed as well', async () => {
    await button(a, 'Export').click();
    const [download] = await Promise.all([a.waitForEvent('download'), a.getByRole('menuitem', { name: 'Export as JSON Lines' }).click()]);
    assert.match(download.suggestedFilename(), /\.jsonl$/);
    const { publicKey } = await world.admin.call('GET', '/audit/integrity');
    assert.match(await world.dashboard.verifyExport(await download.path(), publicKey.key), /^The export is good: 4 rows of rows with /);
  });

  for (const person of [admin, customer, visitor]) person.problems.assertNone();
});
