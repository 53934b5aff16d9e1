// A dashboard that does only part of its work says so to its admins, on every page, and says what to do.
// @ts-check
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { CUSTOMER_PASSWORD, fakeGateway, signInApi } from '../lib/api.js';
import { look } from '../lib/look.js';
import { button, card, dialog, fact, gone, hasText, toast, visible } from '../lib/pages.js';
import { eventually } from '../lib/wait.js';
import { startWorld } from '../lib/world.js';

const world = await startWorld();
const customer = await world.admin.createCustomer('held-up');
const gateway = fakeGateway(world.url, await world.admin.reveal(customer.server.id));
await gateway.beat();

test('a database behind its anchor', async () => {
  const { page, problems, close } = await world.adminPage();
  problems.allow(/^answer (409|503) POST .*\/license\/revoke$/);
  const theirs = await world.person({ api: await signInApi(world.url, { username: 'held-up', password: CUSTOMER_PASSWORD }) });
  // As an older state would be: it knows of fewer restores than this dashboard.
  await world.dashboard.sql('UPDATE settings SET incarnation = incarnation - 1');
  const silence = await gateway.beat();
  assert.equal(silence.status, 503, 'no verdict');

  await page.goto(`/admin/users/${customer.id}`);
  const notice = page.getByRole('alert').filter({ hasText: 'The database is behind its anchor' });
  await visible(notice);
  await hasText(notice, /proxima-dashboard accept-restore/);
  await button(page, 'Revoke').click();
  const revoking = dialog(page, 'Revoke license');
  await revoking.press('Revoke license');
  await visible(revoking.box.getByText(/accept-restore/));
  await look(page, 'behind-anchor-revoke');
  await revoking.press('Cancel');
  await hasText(fact(page, 'License', 'Status'), 'ACTIVE');
  await page.goto('/admin/audit');
  await visible(page.getByText('Behind its anchor', { exact: true }));
  await look(page, 'behind-anchor');

  await theirs.page.goto('/app');
  await visible(card(theirs.page, 'Manage'));
  assert.equal(await theirs.page.getByText(/anchor/).count(), 0, 'no customer is bothered with it');

  await world.dashboard.sql('UPDATE settings SET incarnation = incarnation + 1');
  await eventually('verdicts again', async () => assert.equal((await gateway.beat()).status, 200));
  await page.reload();
  await visible(page.getByText('Chain of hashes in order'));
  await gone(notice);
  problems.assertNone();
  theirs.problems.assertNone();
  await Promise.all([close(), theirs.close()]);
});

/** @type {[list: 'masterKeys' | 'signingKeys', says: RegExp][]} */
const LOSSES = [
  ['masterKeys', /master key/i],
  ['signingKeys', /signing key/i],
];
for (const [list, says] of LOSSES) {
  test(`a key file without its ${list}`, async () => {
    const { page, problems, close } = await world.adminPage();
    problems.allow(/^answer 503 POST .*\/license\/reveal$/);
    const whole = readFileSync(world.dashboard.keyFile, 'utf8');
    const told = async () => /** @type {string[]} */ ((await world.admin.call('GET', '/keys')).problems);
    writeFileSync(world.dashboard.keyFile, JSON.stringify({ ...JSON.parse(whole), [list]: [] }));
    try {
      await eventually('the dashboard notices', async () => assert.notDeepEqual(await told(), []));
      await page.goto(`/admin/users/${customer.id}`);
      const notice = page.getByRole('alert').filter({ hasText: /^(A key is|Keys are) missing/ });
      await visible(notice);
      await hasText(notice, says);
      if (list === 'masterKeys') {
        await button(page, 'Reveal license key').click();
        await toast(page, 'The key could not be revealed');
      } else {
        assert.equal((await gateway.beat()).status, 503, 'what cannot be signed is no verdict');
      }
      await page.getByRole('link', { name: 'Look at the keys' }).click();
      const table = page.getByRole('table', { name: list === 'masterKeys' ? 'Master keys' : 'Signing keys' });
      await hasText(table, /In use[\s\S]*Missing/);
      await look(page, `keys-lost-${list}`);
    } finally {
      writeFileSync(world.dashboard.keyFile, whole);
    }
    await eventually('the dashboard notices', async () => assert.deepEqual(await told(), []));
    await page.reload();
    await visible(page.getByRole('table', { name: 'Signing keys' }));
    assert.equal(await page.getByText(/missing/i).count(), 0);
    assert.equal((await gateway.beat()).status, 200);
    problems.assertNone();
    await close();
  });
}
