// What an admin sets: how long the audit log is kept, and the server that takes the e-mail.
// @ts-check
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { look } from '../lib/look.js';
import { button, card, dialog, gone, hasText, toast, visible } from '../lib/pages.js';
import { startWorld } from '../lib/world.js';

const world = await startWorld({ dashboard: () => ['--allow-outbound', '127.0.0.1/32'] });

test('how long the audit log is kept', async () => {
  const { page, problems, close } = await world.adminPage();
  // As if the log were older than it can be here.
  await page.route('**/api/v1/audit/retention', async (route) => {
    if (route.request().method() !== 'GET') return route.continue();
    const real = await (await route.fetch()).json();
    return route.fulfill({ json: { ...real, oldest: '2024-01-01T00:00:00Z' } });
  });
  await page.goto('/admin/audit');
  await button(page, 'Retention…').click();
  const { box, press } = dialog(page, 'Retention of the audit log');
  await visible(box.getByText('Nothing is removed.'));
  assert.ok(await box.getByRole('button', { name: 'Save retention' }).isDisabled());
  await box.getByLabel('For a number of days').click();
  for (const bad of ['', '1', '999999']) {
    await box.getByLabel('Days', { exact: true }).fill(bad);
    await press('Save retention');
    await visible(box.getByText(/^Use a whole number from \d+ to \d+\.$/));
  }
  await box.getByLabel('Days', { exact: true }).fill('400');
  await visible(box.getByText('Entries will be removed'));
  const export_ = box.getByRole('link', { name: 'Export them' });
  assert.match((await export_.getAttribute('href')) ?? '', /^\/api\/v1\/audit\/export\?.*to=20\d\d-.*format=jsonl/);
  await look(page, 'audit-retention-removes');
  await press('Save retention');
  await toast(page, 'The retention was saved.');
  assert.equal((await world.admin.call('GET', '/audit/retention')).days, 400);
  await visible(page.getByRole('table', { name: 'Audit log' }).getByText('audit.retention.update').first());

  await button(page, 'Retention…').click();
  await box.getByLabel('Forever').click();
  await press('Save retention');
  await toast(page, 'The retention was saved.');
  assert.equal((await world.admin.call('GET', '/audit/retention')).days, null);
  problems.assertNone();
  await close();
});

/** An e-mail server that takes nothing, and says so in its own words. */
async function startRefusingMailServer() {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('220 mail.example.com ESMTP\r\n');
    socket.on('data', (data) => {
      const command = String(data).slice(0, 4).toUpperCase();
      if (command === 'QUIT') socket.end('221 bye\r\n');
      else if (command === 'RCPT') socket.write('550 5.1.1 <script>nobody</script> of that name\r\n');
      else socket.write('250 mail.example.com\r\n');
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  world.atEnd(() => void server.close());
  return /** @type {import('node:net').AddressInfo} */ (server.address()).port;
}

test('what is wrong with the e-mail server is said at its field, or in the words of the server', async () => {
  const port = await startRefusingMailServer();
  const { page, problems, close } = await world.adminPage();
  problems.allow(/^answer 422 (PUT|POST) \/api\/v1\/notifications\/settings/);
  await page.goto('/admin/settings/notifications');
  const server = card(page, 'E-mail server');
  const input = (/** @type {string} */ label) => server.getByLabel(label, { exact: true });
  const save = server.getByRole('button', { name: 'Save e-mail server' });
  await input('Send e-mail').click({ force: true });
  await input('Port').fill('70000');
  await save.click();
  for (const problem of ['Enter the name or address of the e-mail server.', 'Use a port from 1 to 65535.', 'Enter the address that messages come from.']) {
    await visible(server.getByText(problem));
  }
  // What is wrong is red; the example in the empty field is not.
  const colours = await input('Host').evaluate((field) => [getComputedStyle(field).borderTopColor, getComputedStyle(field, '::placeholder').color]);
  assert.notEqual(colours[0], colours[1]);
  await input('Host').fill('127.0.0.1');
  await input('Port').fill(String(port));
  await input('From').fill('not an address');
  await input('Username').fill('proxima');
  await save.click();
  // What only the dashboard knows.
  await server.locator('input[aria-invalid="true"]').first().waitFor();
  await look(page, 'settings-mail-errors');
  assert.equal(await input('Host').inputValue(), '127.0.0.1');
  await input('From').fill('proxima@example.com');
  await input('Username').fill('');
  await input('Encryption').selectOption('NONE');
  await save.click();
  await toast(page, 'The e-mail server was saved.');

  await input('Send a test message to').fill('nobody');
  await button(page, 'Send test message').click();
  await server.locator('input[aria-invalid="true"]').first().waitFor();
  await input('Send a test message to').fill('nobody@example.com');
  await button(page, 'Send test message').click();
  const answer = server.getByRole('alert').filter({ hasText: 'The message was not sent' });
  await hasText(answer, /The server said:[\s\S]*<script>nobody<\/script> of that name/);
  await look(page, 'settings-mail-refused');

  await input('Send e-mail').click({ force: true });
  await visible(server.getByText(/^Saving forgets the server and its password\./));
  await save.click();
  await toast(page, 'E-mail was switched off.');
  await gone(server.getByLabel('Host', { exact: true }));
  problems.assertNone();
  await close();
});
