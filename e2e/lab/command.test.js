// The manual way of installing, by clicks and by the very command that the page shows, on a server that the dashboard never logs in to.
// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CUSTOMER_PASSWORD } from '../lib/api.js';
import { assertAccessible } from '../lib/axe.js';
import { DESKTOP, PHONE } from '../lib/browser.js';
import { labOptions, startBox } from '../lib/lab.js';
import { button, fillListener, signIn, toast, visible } from '../lib/pages.js';
import { picture } from '../lib/pictures.js';
import { SITE_TITLE } from '../lib/site.js';
import { steps } from '../lib/steps.js';
import { eventually } from '../lib/wait.js';
import { startWorld } from '../lib/world.js';

const world = await startWorld({ dashboard: labOptions });
const SERVER = 'Harbour Bakery VPS';
const PORT = 80;

test('a server installs itself by the command that the page shows', { timeout: 300_000 }, async (t) => {
  const step = steps(t);
  const box = await startBox(world, 'e2e-command');
  const [customer, visitor] = [await world.person(), await world.person()];
  const [c, v] = [customer.page, visitor.page];
  const slow = { timeout: 60_000 };
  const shown = c.locator('code', { hasText: 'PROXIMA_INSTALL_TOKEN' });
  /** What is in sight, in both themes and widths. @param {string} name @param {import('playwright-core').Locator} at */
  const pictures = async (name, at) => {
    for (const theme of /** @type {const} */ (['light', 'dark'])) {
      for (const viewport of [DESKTOP, PHONE]) {
        await c.emulateMedia({ colorScheme: theme });
        await c.setViewportSize(viewport);
        await at.scrollIntoViewIfNeeded();
        await picture(c, `command/${name}-${theme}-${viewport.width}`, { published: false });
      }
    }
    await c.emulateMedia({ colorScheme: 'light' });
    await c.setViewportSize(DESKTOP);
  };
  /** As a person pastes it. @param {string} command */
  const run = (command) => box.exec('bash', '-c', command);

  await step('a command is made, shown once, replaced and withdrawn', async () => {
    await world.admin.createCustomer('harbour', { serverName: SERVER });
    await c.goto('/');
    await signIn(c, { username: 'harbour', password: CUSTOMER_PASSWORD });
    await visible(c.getByText('No SSH from here?'));
    await pictures('offer', button(c, 'Make a command'));
    await button(c, 'Make a command').click();
    await visible(shown);
    const first = await shown.innerText();
    await assertAccessible(c, 'an install command');
    await pictures('shown', button(c, 'Withdraw'));
    await c.evaluate(() => window.scrollTo(0, 0));
    await picture(c, 'install/5-install-command');
    await c.reload();
    await visible(c.getByText('A command is open'));
    assert.equal(await shown.count(), 0, 'it is shown once');
    await pictures('open', button(c, 'Withdraw'));
    await button(c, 'Make another').click();
    await visible(shown);
    await assert.rejects(run(first), /used, withdrawn or expired/);
    await button(c, 'Withdraw').click();
    await visible(button(c, 'Make a command'));
  });

  await step('run on the server, it is followed on the page to its end, and traffic flows', async () => {
    await button(c, 'Add port').click();
    await fillListener(c, 1, { port: PORT, backendUrl: box.backendUrl });
    await button(c, 'Save configuration').click();
    await toast(c, 'The configuration was saved.');
    await button(c, 'Make a command').click();
    await visible(shown);
    assert.match(await run(await shown.innerText()), /Installed: the gateway runs and is licensed/);
    await visible(c.getByText('Your gateway is online'), slow);
    // The whole of it may have taken less time than the page takes to ask once more.
    await button(c, 'Show the steps').click();
    await visible(c.getByText('Put the gateway in place'));
    await picture(c, 'command/steps', { published: false });
    await eventually('the website comes through the box', () => v.goto(`http://${box.address}/`, { timeout: 5_000 }), slow);
    await visible(v.getByRole('heading', { name: SITE_TITLE }));
    await c.evaluate(() => window.scrollTo(0, 0));
    await pictures('installed', c.getByText('Your gateway is online'));
  });

  await step('without SSH the page says what to do on the server, and a new command installs again', async () => {
    await visible(c.getByText('sudo systemctl restart proxima-gateway'));
    await pictures('care', c.getByText('sudo proxima-gateway setup uninstall --yes'));
    await pictures('again', button(c, 'Make a command'));
    await assertAccessible(c, 'a server without SSH');
    await button(c, 'Make a command').click();
    await visible(shown);
    assert.match(await run(await shown.innerText()), /Installed:/);
    assert.match(await run('proxima-gateway setup uninstall --yes'), /Uninstalled/);
    assert.equal((await run('find /etc /usr/local /var/lib -name "*proxima*" -not -path "/var/lib/systemd/*"')).trim(), '');
  });
});
