// The whole life of an installed gateway, by clicks, on a real server: connect, install, traffic, revoke, regenerate, install again, uninstall.
// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CUSTOMER_PASSWORD } from '../lib/api.js';
import { assertAccessible } from '../lib/axe.js';
import { ADMIN } from '../lib/dashboard.js';
import { labOptions, startBox } from '../lib/lab.js';
import { button, dialog, field, fillListener, heading, openUser, revoke, signIn, toast, visible } from '../lib/pages.js';
import { picture } from '../lib/pictures.js';
import { knock } from '../lib/ports.js';
import { SITE_TITLE } from '../lib/site.js';
import { steps } from '../lib/steps.js';
import { eventually } from '../lib/wait.js';
import { startWorld } from '../lib/world.js';

const world = await startWorld({ dashboard: labOptions });
const SERVER = 'Harbour Bakery VPS';
const PORT = 80;
const LEFT = 'find /etc /usr/local /var/lib /root/.ssh -name "*proxima*" -not -path "/var/lib/systemd/*"; getent passwd proxima-gateway; grep -s proxima /root/.ssh/authorized_keys; true';

test('from an SSH login to a running gateway, and off again', { timeout: 300_000 }, async (t) => {
  const step = steps(t);
  const box = await startBox(world, 'e2e');
  const [admin, customer, visitor] = [await world.person(), await world.person(), await world.person()];
  const [a, c, v] = [admin.page, customer.page, visitor.page];
  visitor.problems.allow(/ERR_CONNECTION_REFUSED/);
  const slow = { timeout: 60_000 };
  const traffic = async () => {
    await eventually('the website comes through the box', () => v.goto(`http://${box.address}/`, { timeout: 5_000 }), slow);
    await visible(v.getByRole('heading', { name: SITE_TITLE }));
  };
  const refused = () => eventually('the box refuses connections', async () => assert.equal(await knock(PORT, box.address), 'ECONNREFUSED'), slow);

  await step('the customer enters the login, and compares the host key before anything is sent', async () => {
    await world.admin.createCustomer('harbour', { serverName: SERVER });
    await c.goto('/');
    await signIn(c, { username: 'harbour', password: CUSTOMER_PASSWORD });
    await visible(heading(c, /^Connect your server$/, 2));
    await field(c, 'Host').fill(box.address);
    await field(c, 'SSH password').fill(box.password);
    await button(c, 'Test connection').click();
    await visible(button(c, 'This is my server'));
    const shown = await c.locator('main').innerText();
    assert.ok(box.fingerprints.some((fingerprint) => shown.includes(fingerprint)), shown);
    assert.ok(!(await box.exec('journalctl', '-u', 'ssh', '--no-pager', '-q')).includes('root'), 'no user name was sent');
    await assertAccessible(c, 'the host key');
    await picture(c, 'install/1-host-key');
    await button(c, 'This is my server').click();
    await visible(c.getByText('The connection works'), slow);
    await c.evaluate(() => window.scrollTo(0, 0));
    await assertAccessible(c, 'the result of the test');
    await picture(c, 'install/2-connection-works');
  });

  await step('Install shows its steps and ends online, with the password traded for a key', async () => {
    await button(c, 'Add port').click();
    await fillListener(c, 1, { port: PORT, backendUrl: box.backendUrl });
    await button(c, 'Save configuration').click();
    await toast(c, 'The configuration was saved.');
    await button(c, 'Install').click();
    await visible(c.getByText('Upload the gateway'));
    await c.evaluate(() => window.scrollTo(0, 0));
    await picture(c, 'install/3-installing');
    await assertAccessible(c, 'installing');
    await visible(c.getByText('Your gateway is online'), { timeout: 120_000 });
    await visible(c.getByText(/An access key made by this dashboard/));
    await traffic();
    await c.evaluate(() => window.scrollTo(0, 0));
    await assertAccessible(c, 'installed');
    await picture(c, 'install/4-installed');
  });

  await step('revoked, it expires in its restart loop; reinstated, traffic is back', async () => {
    await a.goto('/');
    await signIn(a, ADMIN);
    await openUser(a, 'harbour');
    await revoke(a, 1);
    await refused();
    await eventually('systemd starts it again and again', async () =>
      assert.ok(Number(await box.exec('systemctl', 'show', '--property=NRestarts', '--value', 'proxima-gateway')) >= 2), slow);
    await button(a, 'Reinstate').click();
    await dialog(a, 'Reinstate license').press('Reinstate license');
    await traffic();
  });

  await step('regenerated, it stops until the customer installs again', async () => {
    await button(a, 'Regenerate').click();
    const { confirmWith, press } = dialog(a, 'Regenerate license key');
    await confirmWith('harbour');
    await press('Regenerate key');
    await refused();
    await button(c, 'Re-install').click();
    await dialog(c, `Re-install on ${SERVER}`).press('Re-install');
    await traffic();
    await visible(c.getByText('Your gateway is online'), slow);
  });

  await step('Uninstall leaves nothing behind', async () => {
    await button(c, 'Uninstall').click();
    const { confirmWith, press } = dialog(c, `Uninstall from ${SERVER}`);
    await confirmWith(SERVER);
    await press('Uninstall');
    await refused();
    await visible(c.getByText('Not installed').first(), slow);
    assert.equal((await box.exec('sh', '-c', LEFT)).trim(), '');
  });
});
