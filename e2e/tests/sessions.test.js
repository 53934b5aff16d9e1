// Who is signed in where, what is whose, and what the address bar may ask for.
// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CUSTOMER_PASSWORD, signInApi } from '../lib/api.js';
import { ADMIN } from '../lib/dashboard.js';
import { atPath, button, card, dialog, field, gone, heading, hasText, signIn, toast, visible } from '../lib/pages.js';
import { eventually } from '../lib/wait.js';
import { startWorld } from '../lib/world.js';

const world = await startWorld();
const [anna, ben] = await Promise.all(['anna', 'ben'].map((name) => world.admin.createCustomer(name)));
const ANNA = { username: 'anna', password: CUSTOMER_PASSWORD };

/** @param {Parameters<typeof world.person>[0]} [options] */
const annaPage = async (options) => world.person({ api: await signInApi(world.url, ANNA), ...options });

test('signing out the other devices ends them, with a message and the way back', async () => {
  const [here, there] = [await annaPage(), await world.person()];
  there.problems.allow(/^answer 401 GET /);
  await there.page.goto(`/app/servers/${anna.server.id}`);
  await signIn(there.page, ANNA);
  await atPath(there.page, `/app/servers/${anna.server.id}`);
  await visible(card(there.page, 'Manage'));

  await here.page.goto('/account/security');
  const sessions = card(here.page, 'Sessions');
  await visible(sessions.getByText('This device'));
  assert.equal(await sessions.getByText('This device').count(), 1);
  await button(here.page, 'Sign out all others').click();
  await toast(here.page, /signed out/);
  await eventually('one session is left', async () => assert.equal(await sessions.getByRole('row').count(), 2));

  await visible(there.page.getByText('Your session has ended. Sign in again to continue.'));
  await signIn(there.page, ANNA);
  await atPath(there.page, `/app/servers/${anna.server.id}`);
  await visible(heading(there.page, /^anna's Server$/));

  await button(there.page, 'Sign out').click();
  await visible(heading(there.page, /^Sign in$/));
  assert.equal(await there.page.getByText('Your session has ended').count(), 0);
  await there.page.goBack();
  await visible(heading(there.page, /^Sign in$/));
  here.problems.assertNone();
  there.problems.assertNone();
  await Promise.all([here.close(), there.close()]);
});

test('a new password needs the old one, and signs out the other devices', async () => {
  const user = { username: 'carla', password: 'pepper-canal-19-otter' };
  await world.admin.createCustomer(user.username);
  const here = await world.person();
  const other = await signInApi(world.url, { ...user, password: CUSTOMER_PASSWORD });
  here.problems.allow(/^answer (401|422) POST \/api\/v1\/me\/password$/);
  const { page } = here;
  await page.goto('/login?redirect=/account/security');
  await signIn(page, { ...user, password: CUSTOMER_PASSWORD });
  await visible(heading(page, /^Security$/));
  await field(page, 'Current password').fill('not-my-password-1');
  await field(page, 'New password').fill(user.password);
  await button(page, 'Change password').click();
  await visible(page.getByText(/^This is not your (current|present) password\.$/));
  assert.equal(await field(page, 'New password').inputValue(), user.password);
  await field(page, 'Current password').fill(CUSTOMER_PASSWORD);
  await button(page, 'Change password').click();
  await toast(page, 'Your password was changed. Other devices were signed out.');
  assert.equal((await other.attempt('GET', '/me')).status, 401);
  await signInApi(world.url, user);
  await assert.rejects(signInApi(world.url, { ...user, password: CUSTOMER_PASSWORD }));
  here.problems.assertNone();
  await here.close();
});

test('what is typed while the rest of a page still loads stays', async () => {
  const here = await annaPage();
  const { page } = here;
  /** @type {() => void} */
  let answer = () => {};
  const held = new Promise((resolve) => { answer = () => resolve(undefined); });
  await page.route('**/api/v1/me/security', async (route) => {
    await held;
    await route.continue();
  });
  await page.goto('/account/security');
  await field(page, 'Current password').fill('a-first-password');
  await field(page, 'New password').fill('a-second-password');
  const change = button(page, 'Change password');
  const before = await change.boundingBox();
  answer();
  await visible(page.getByText('Your password alone signs you in'));
  assert.equal(await field(page, 'Current password').inputValue(), 'a-first-password');
  assert.equal(await field(page, 'New password').inputValue(), 'a-second-password');
  assert.deepEqual(await change.boundingBox(), before, 'and no button moved away from under the pointer');
  here.problems.assertNone();
  await here.close();
});

test('an admin signs somebody out everywhere, after proving who asks', async () => {
  const dora = await world.admin.createCustomer('dora');
  const who = { username: 'dora', password: CUSTOMER_PASSWORD };
  const [first, second] = [await signInApi(world.url, who), await signInApi(world.url, who)];
  const api = await signInApi(world.url);
  const admin = await world.person({ api });
  admin.problems.allow(/^answer 403 DELETE \/api\/v1\/users\/[^/]+\/sessions$/);
  const { page } = admin;
  await page.goto(`/admin/users/${dora.id}`);
  await world.dashboard.sql("UPDATE sessions SET stepped_up_at = stepped_up_at - interval '6 minutes'");
  await card(page, 'Sessions').getByRole('button', { name: 'Sign out everywhere' }).click();
  await dialog(page, 'Sign out everywhere').press('Sign out everywhere');
  const again = dialog(page, 'Confirm that it is you');
  assert.equal((await first.attempt('GET', '/me')).status, 200, 'not before it was proven who asks');
  await again.box.getByLabel('Your password').fill(ADMIN.password);
  await again.press('Confirm');
  await toast(page, 'dora was signed out everywhere: 2 sessions ended.');
  for (const session of [first, second]) assert.equal((await session.attempt('GET', '/me')).status, 401);
  await signInApi(world.url, who);
  await page.goto(`/admin/users/${api.me.id}`);
  await visible(card(page, 'Second factor'));
  assert.equal(await card(page, 'Sessions').count(), 0, 'one’s own are on one’s own page');
  admin.problems.assertNone();
  await admin.close();
});

test("somebody else's page looks like one that does not exist", async () => {
  const customer = await annaPage();
  const admin = await world.adminPage();
  customer.problems.allow(/^answer 404 GET \/api\/v1\/servers\/[^/]+$/);
  /** @param {import('../lib/browser.js').Person} person @param {string} path */
  const notFound = async ({ page }, path) => {
    await page.goto(path);
    await visible(heading(page, /^Page not found$/));
    assert.equal(await page.title(), 'Page not found · Proxima Gateway');
    return page.getByRole('main').innerText();
  };
  const nowhere = await notFound(customer, '/no/such/page');
  const unknown = '00000000-0000-4000-8000-000000000000';
  for (const path of ['/admin', '/admin/fleet', '/admin/users', `/admin/users/${anna.id}`, '/admin/audit', '/admin/settings', '/admin/nothing', `/app/servers/${ben.server.id}`, `/app/servers/${unknown}`, '/app/servers/nonsense']) {
    assert.equal(await notFound(customer, path), nowhere, path);
  }
  for (const path of ['/app', `/app/servers/${anna.server.id}`, '/no/such/page']) {
    assert.equal(await notFound(admin, path), nowhere, path);
  }
  await admin.page.getByRole('link', { name: 'Go to the start page' }).click();
  await visible(heading(admin.page, /^Fleet$/));
  customer.problems.assertNone();
  admin.problems.assertNone();
  await Promise.all([customer.close(), admin.close()]);
});

test('an unknown personal page looks like the common one', async () => {
  const { page, problems, close } = await world.person();
  await page.goto('/login');
  await visible(field(page, 'Username'));
  const common = await page.getByRole('main').innerHTML();
  await page.goto('/login/nobody-has-this');
  await visible(field(page, 'Username'));
  const strip = (/** @type {string} */ html) => html.replaceAll(/mantine-[a-z0-9]+|_r_\w+_|:r\w+:/g, '');
  assert.equal(strip(await page.getByRole('main').innerHTML()), strip(common));
  problems.allow(/^answer 401 POST \/api\/v1\/auth\/login$/);
  await signIn(page, { username: 'anna', password: 'wrong-password-1' });
  const wrong = page.getByRole('alert');
  await hasText(wrong, 'Wrong username or password.');
  assert.equal(await field(page, 'Username').inputValue(), 'anna');
  await signIn(page, { username: 'nobody', password: 'wrong-password-1' });
  await hasText(wrong, 'Wrong username or password.');
  problems.assertNone();
  await close();
});

test('signing in never leads to another site', async () => {
  const { page, context, problems, close } = await world.person();
  /** @type {string[]} */
  const elsewhere = [];
  await context.route((url) => url.origin !== world.url, (route) => {
    elsewhere.push(route.request().url());
    return route.abort();
  });
  const host = 'evil.example';
  for (const target of [`https://${host}`, `//${host}`, `/\\${host}`, `/\t/${host}`, '/%2f%2fevil.example/..//evil.example', 'javascript:alert(1)', '/login']) {
    await page.goto('about:blank');
    await context.clearCookies();
    await page.goto(`/login?redirect=${encodeURIComponent(target)}`);
    await signIn(page, ADMIN);
    await visible(heading(page));
    await eventually('signed in', () => assert.doesNotMatch(page.url(), /\/login/));
    assert.equal(new URL(page.url()).origin, world.url, target);
    if (!target.startsWith('/%2f')) await atPath(page, '/admin/fleet');
  }
  assert.deepEqual(elsewhere, []);
  problems.assertNone();
  await close();
});

/**
 * Tab, until it has the focus.
 * @param {import('playwright-core').Page} page
 * @param {import('playwright-core').Locator} locator
 */
async function tabTo(page, locator) {
  await visible(locator);
  for (let presses = 0; presses < 80; presses += 1) {
    if (await locator.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`Tab never reaches ${locator}`);
}

test('signing in and deleting a user work by keyboard alone', async () => {
  await world.admin.createCustomer('unplugged');
  const { page, problems, close } = await world.person();
  await page.goto('/login');
  await tabTo(page, field(page, 'Username'));
  await page.keyboard.type(ADMIN.username);
  await page.keyboard.press('Tab');
  await page.keyboard.type(ADMIN.password);
  await page.keyboard.press('Enter');
  await visible(heading(page, /^Fleet$/));
  await tabTo(page, page.getByRole('link', { name: 'Users', exact: true }));
  await page.keyboard.press('Enter');
  await visible(heading(page, /^Users$/));
  const trash = button(page, 'Delete unplugged');
  await tabTo(page, trash);
  await page.keyboard.press('Enter');
  const { box } = dialog(page, 'Delete unplugged');
  const typed = box.getByLabel('Type unplugged to confirm');
  await eventually('the field has the focus', async () => assert.ok(await typed.evaluate((element) => element === document.activeElement)));
  for (let presses = 0; presses < 8; presses += 1) {
    await page.keyboard.press('Tab');
    assert.ok(await box.evaluate((element) => element.contains(document.activeElement)), 'the focus stays in the dialog');
  }
  await page.keyboard.press('Escape');
  await gone(box);
  await eventually('the focus is back', async () => assert.ok(await trash.evaluate((element) => element === document.activeElement)));
  await page.keyboard.press('Enter');
  await eventually('the field has the focus again', async () => assert.ok(await typed.evaluate((element) => element === document.activeElement)));
  await page.keyboard.type('unplugged');
  await page.keyboard.press('Enter');
  await visible(page.getByRole('alert').filter({ hasText: 'unplugged was deleted.' }));
  await gone(page.getByRole('link', { name: 'unplugged', exact: true }));
  problems.assertNone();
  await close();
});

test('the theme stays over reloads, and Auto follows the system', async () => {
  const { page, context, problems, close } = await annaPage();
  const theme = async (/** @type {import('playwright-core').Page} */ of) => of.evaluate(() => document.documentElement.getAttribute('data-mantine-color-scheme'));
  const choose = (/** @type {string} */ name) => page.getByRole('navigation', { name: 'Main' }).locator('label', { hasText: name }).click();
  await page.goto('/app');
  await visible(card(page, 'Manage'));
  assert.equal(await theme(page), 'light');
  await choose('Dark');
  await eventually('it is dark', async () => assert.equal(await theme(page), 'dark'));
  await page.reload({ waitUntil: 'commit' });
  await visible(card(page, 'Manage'));
  assert.equal(await theme(page), 'dark');
  const second = await context.newPage();
  await second.goto('/login/elsewhere');
  assert.equal(await theme(second), 'dark');
  await choose('Auto');
  await eventually('it is light as the system', async () => assert.equal(await theme(page), 'light'));
  await page.emulateMedia({ colorScheme: 'dark' });
  await eventually('it is dark as the system', async () => assert.equal(await theme(page), 'dark'));
  problems.assertNone();
  await close();
});

test('filters are in the address and survive a reload', async () => {
  const { page, problems, close } = await world.adminPage();
  await page.goto('/admin/users');
  await field(page, 'Search users').fill('ben');
  await atPath(page, /search=ben/);
  await field(page, 'Filter by role').selectOption('CUSTOMER');
  await field(page, 'Filter by license').selectOption('ACTIVE');
  await field(page, 'Filter by server status').selectOption('NOT_INSTALLED');
  const rows = page.getByRole('table', { name: 'Users' }).getByRole('row');
  const onlyBen = () => eventually('only ben', async () => {
    assert.equal(await rows.count(), 2);
    assert.match(await rows.nth(1).innerText(), /^ben\b/);
  });
  await onlyBen();
  await page.reload();
  await onlyBen();
  assert.equal(await field(page, 'Search users').inputValue(), 'ben');
  assert.equal(await field(page, 'Filter by role').inputValue(), 'CUSTOMER');
  assert.equal(await field(page, 'Filter by license').inputValue(), 'ACTIVE');
  assert.equal(await field(page, 'Filter by server status').inputValue(), 'NOT_INSTALLED');
  await field(page, 'Filter by license').selectOption('EXPIRED');
  await visible(page.getByText('No users match'));
  await page.getByRole('link', { name: 'Clear filters' }).click();
  await atPath(page, '/admin/users');
  await button(page, 'Username').click();
  await atPath(page, /sort=-username/);
  const names = page.getByRole('table', { name: 'Users' }).locator('td[data-label="Username"]');
  await eventually('sorted downwards', async () => {
    const shown = await names.allInnerTexts();
    assert.ok(shown.length > 2);
    assert.deepEqual(shown, [...shown].sort().reverse());
  });

  await page.goto('/admin/audit');
  await field(page, 'Filter by actor').fill('admin');
  await atPath(page, /actor=admin/);
  await field(page, 'From (UTC)').fill('2020-01-01T00:00');
  await field(page, 'To (UTC)').fill('2020-01-02T00:00');
  await visible(page.getByText('No entries match'));
  await page.reload();
  await visible(page.getByText('No entries match'));
  assert.equal(await field(page, 'From (UTC)').inputValue(), '2020-01-01T00:00');
  await field(page, 'To (UTC)').fill('');
  await visible(page.getByRole('table', { name: 'Audit log' }).getByText('user.create').first());
  problems.assertNone();
  await close();
});
