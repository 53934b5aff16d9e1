// Webhooks by clicks: added, tested, looked at, deleted; whatever a receiver answers is text.
// @ts-check
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { look } from '../lib/look.js';
import { atPath, button, card, dialog, field, hasText, heading, toast, visible } from '../lib/pages.js';
import { startWorld } from '../lib/world.js';

const world = await startWorld({ dashboard: () => ['--allow-outbound', '127.0.0.1/32'] });
const SCRIPT = '<script>window.__xss=1</script><img src=x onerror=window.__xss=2>';

/** A receiver that answers with what a browser would run. */
async function startReceiver() {
  /** @type {{ headers: import('node:http').IncomingHttpHeaders, body: string }[]} */
  const got = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => {
      got.push({ headers: request.headers, body });
      response.writeHead(200, { 'content-type': 'text/html' }).end(SCRIPT);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  world.atEnd(() => void server.close());
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return { got, url: `http://127.0.0.1:${port}/hook` };
}

test('a webhook, from the form to the log of deliveries', { timeout: 120_000 }, async () => {
  const receiver = await startReceiver();
  const { page, problems, close } = await world.adminPage();
  problems.allow(/^answer 422 POST \/api\/v1\/notifications\/endpoints$/);
  await page.goto('/admin/settings/notifications');
  await visible(page.getByText('Nobody is notified yet'));
  await page.getByRole('link', { name: 'Add webhook' }).click();
  await field(page, 'URL').fill('javascript:window.__xss=3');
  await field(page, 'Name').fill(SCRIPT);
  await button(page, 'Add webhook').click();
  await page.locator('input[aria-invalid="true"]').waitFor();
  assert.equal(await field(page, 'Name').inputValue(), SCRIPT);
  await field(page, 'URL').fill(receiver.url);
  await button(page, 'Add webhook').click();
  await visible(page.getByText(/^whsec_/));
  await button(page, 'Continue').click();
  await visible(heading(page).getByText(SCRIPT, { exact: true }));

  await button(page, 'Send test').click();
  await toast(page, 'A test is on its way.');
  const table = page.getByRole('table', { name: 'Deliveries' });
  await hasText(table, /webhook\.test[\s\S]*Delivered[\s\S]*200/);
  assert.ok(receiver.got[0]?.headers['webhook-signature']);
  await table.getByRole('button', { name: /^Details of/ }).click();
  await visible(page.getByLabel('Answer to attempt 1').getByText(SCRIPT));
  await look(page, 'settings-webhook-log');
  await button(page, 'Redeliver').click();
  await toast(page, 'It is being sent again.');
  await visible(page.getByText(/^Attempt 2, /));
  assert.equal(receiver.got[0]?.headers['webhook-id'], receiver.got[1]?.headers['webhook-id']);

  await button(page, 'Rotate secret').click();
  await dialog(page, 'Rotate signing secret').press('Rotate secret');
  await toast(page, 'The webhook has a new signing secret.');
  await visible(card(page, 'Signing secret').getByText('The previous secret signs as well'));
  assert.equal(await page.evaluate(() => Reflect.get(window, '__xss') ?? null), null);
  await button(page, 'Delete').click();
  await dialog(page, `Delete ${SCRIPT}`).press('Delete');
  await atPath(page, '/admin/settings/notifications');
  await visible(page.getByText('Nobody is notified yet'));
  problems.assertNone();
  await close();
});
