// A new license key without downtime: a click, a real gateway that takes the key, and visitors who notice nothing.
// @ts-check
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { fakeGateway } from '../lib/api.js';
import { button, card, dialog, fact, gone, hasText, toast, visible } from '../lib/pages.js';
import { freePort, knock } from '../lib/ports.js';
import { eventually } from '../lib/wait.js';
import { startWorld } from '../lib/world.js';

const world = await startWorld();

/**
 * A visit on a connection of its own, so that a port that closes for a moment is seen.
 * @param {string} url
 * @returns {Promise<number | string | undefined>} the answer's status, or why there was none
 */
function visit(url) {
  return new Promise((resolve) => {
    const request = get(url, { agent: false }, (answer) => {
      answer.resume().once('close', () => resolve(answer.complete ? answer.statusCode : 'broken off'));
    });
    request.once('error', (error) => resolve(error.message));
  });
}

/** Visits again and again until it is stopped; then every answer's status. @param {string} url */
function keepVisiting(url) {
  /** @type {(number | string | undefined)[]} */
  const seen = [];
  let going = true;
  const visits = (async () => {
    while (going) {
      seen.push(await visit(url));
    }
  })();
  return {
    count: () => seen.length,
    async stop() {
      going = false;
      await visits;
      return seen;
    },
  };
}

/** @param {import('playwright-core').Page} page */
async function rotate(page) {
  await button(page, 'Rotate').click();
  const { box, press } = dialog(page, 'Rotate license key');
  await visible(box.getByText('Traffic is not interrupted:'));
  await press('Rotate key');
  await toast(page, 'The rotation has started.');
}

test('the running gateway takes its new key, twice, and no visitor is refused', async () => {
  const [site, port] = [await world.site(), await freePort()];
  const user = await world.admin.createCustomer('rotating');
  await world.admin.configure(user.server.id, [{ port, backendUrl: site.url }]);
  const gateway = world.gateway('rotating');
  const identity = await gateway.install();
  gateway.run();
  await eventually('the gateway serves', async () => assert.equal(await knock(port), 'open'));
  const pid = gateway.pid();
  const visitors = keepVisiting(`http://127.0.0.1:${port}/`);

  const admin = await world.adminPage();
  const { page } = admin;
  await page.goto(`/admin/users/${user.id}`);
  await hasText(fact(page, 'License', 'License key').locator('.mono'), `pk_•••••…•${identity.apiKey.slice(-4)}`);
  const keys = [identity.apiKey];
  for (const before of [0, 1]) {
    await rotate(page);
    await hasText(fact(page, 'License', 'Key rotation'), /^The gateway took the new key after (< )?[0-9.]+ s, (just now|\d+ s ago)$/);
    const key = await world.admin.reveal(user.server.id);
    assert.equal(keys.includes(key), false);
    keys.push(key);
    await hasText(fact(page, 'License', 'License key').locator('.mono'), `pk_•••••…•${key.slice(-4)}`);
    await gone(page.getByText('Waiting for the gateway to take its new key'));
    const old = await fakeGateway(world.url, keys[before] ?? '').beat();
    assert.deepEqual([old.status, old.body.code], [401, 'license_key_retired']);
  }
  const rounds = visitors.count();
  await eventually('visitors go on', () => assert.ok(visitors.count() > rounds + 20));
  const statuses = await visitors.stop();
  assert.deepEqual([...new Set(statuses)], [200], `${statuses.length} visits`);
  assert.equal(gateway.pid(), pid, 'it was never restarted');

  // The key is not in config.json: the gateway keeps what it was handed.
  const kept = readFileSync(join(world.folder, 'gateway-rotating', 'config.json'), 'utf8');
  assert.equal(JSON.parse(kept).apiKey, identity.apiKey);
  process.kill(/** @type {number} */ (pid), 'SIGKILL');
  await eventually('it was started again', () => assert.equal(gateway.starts(), 2));
  await eventually('it serves again', async () => assert.equal(await visit(`http://127.0.0.1:${port}/`), 200));
  for (const key of keys) assert.equal(gateway.log().includes(key) || world.dashboard.log().includes(key), false, 'a key is in a log');

  const { items } = await world.admin.call('GET', `/audit?target=${user.server.id}&action=server.license.rotate.end`);
  assert.deepEqual(items.map((/** @type {any} */ { username, metadata }) => [username, metadata.ended]), [
    ['system', 'ADOPTED'],
    ['system', 'ADOPTED'],
  ]);
  admin.problems.assertNone();
  await admin.close();
});

test('an open rotation is told, and cancelled', async () => {
  const user = await world.admin.createCustomer('waiting');
  const key = await world.admin.reveal(user.server.id);
  const gateway = fakeGateway(world.url, key);
  await gateway.beat();
  gateway.keepBeating();
  world.atEnd(() => gateway.stop());
  const admin = await world.adminPage();
  const { page } = admin;
  await page.goto(`/admin/users/${user.id}`);
  await rotate(page);
  await visible(card(page, 'License').getByText(/Started by admin just now; the old key ends on .* UTC at the latest\./));
  await hasText(fact(page, 'License', 'New key'), /^pk_•••••…•.{4}, not in use yet$/);
  assert.ok(await button(page, 'Rotate').isDisabled());
  // One that does not take the key goes on with the old one.
  assert.equal((await gateway.beat()).status, 200);

  await button(page, 'Cancel rotation').click();
  await dialog(page, 'Cancel rotation').press('Cancel rotation');
  await toast(page, 'The rotation was cancelled.');
  await gone(page.getByText('Waiting for the gateway to take its new key'));
  assert.equal(await world.admin.reveal(user.server.id), key);
  assert.equal((await gateway.beat()).body.nextApiKey, undefined);
  admin.problems.assertNone();
  await admin.close();
});
