// Every page in both themes and two widths: accessible, not wider than the window, nothing in the console; and its pictures.
// @ts-check
import { test } from 'node:test';
import { CUSTOMER_PASSWORD, fakeGateway, signInApi } from '../lib/api.js';
import { assertAccessible } from '../lib/axe.js';
import { assertNoSidewaysScroll, DESKTOP, PHONE } from '../lib/browser.js';
import { button, card, field, heading, visible } from '../lib/pages.js';
import { picture } from '../lib/pictures.js';
import { eventually } from '../lib/wait.js';
import { startWorld } from '../lib/world.js';

const world = await startWorld();
const { admin } = world;
const HOST = { os: 'Debian GNU/Linux 12 (bookworm)', architecture: 'x86_64' };

/** A fleet in which every state can be seen. */
const CUSTOMERS = /** @type {const} */ ([
  ['northwind', 'Northwind Outfitters', 'online'],
  ['larkspur', 'Larkspur Dental', 'grace'],
  ['quayside', 'Quayside Records', 'expired'],
  ['tidewater', 'Tidewater Surf School', 'rejected'],
  ['oakfield', 'Oakfield Primary School', 'shared'],
  ['millbrook', 'Millbrook Cider', 'offline'],
  ['fernhill', null, 'new'],
]);
const trustedKeys = (await admin.call('GET', '/keys')).signingKeys.map((/** @type {{ keyId: string }} */ { keyId }) => keyId);
/** @type {Record<string, any>} */
const users = {};
for (const [index, [username, displayName, state]] of CUSTOMERS.entries()) {
  const user = await admin.createCustomer(username, { displayName, loginSlug: username });
  users[state] = user;
  if (state === 'new') continue;
  const { generation } = await admin.configure(user.server.id, [
    { port: 80, backendUrl: 'http://10.20.0.4:8000' },
    { port: 8080, backendUrl: 'http://app.internal.example:3000' },
  ]);
  const known = { incarnation: 1, number: generation };
  const reason = 'Port 80 cannot be opened: address already in use by another program on this machine.';
  const report = {
    version: '1.0.0',
    trustedKeys,
    host: { ...HOST, hostname: `${username}-vps-${index + 1}.example.net` },
    ...(state === 'rejected' ? { rejectedConfig: { generation: known, reason } } : { appliedConfig: known }),
  };
  const key = await admin.reveal(user.server.id);
  for (let host = 0; host < (state === 'shared' ? 2 : 1); host += 1) {
    const gateway = fakeGateway(world.url, key, report);
    await gateway.beat();
    if (state !== 'offline') gateway.keepBeating();
    world.atEnd(() => gateway.stop());
  }
  const license = `/servers/${user.server.id}/license`;
  if (state === 'grace') await admin.call('POST', `${license}/revoke`, { graceSeconds: 4 * 86_400 });
  if (state === 'offline') await admin.call('POST', `${license}/rotate`, {});
  if (state === 'expired') await admin.call('POST', `${license}/revoke`, { graceSeconds: 0 });
}
await admin.call('POST', '/users', { username: 'night-shift', password: CUSTOMER_PASSWORD, role: 'ADMIN', displayName: 'Night shift' });
await admin.call('PUT', '/settings', { dashboardIpAllowlist: ['203.0.113.7', '203.0.113.64/28', '2001:db8:20::/48'], offlineLimitDays: 30 });

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {{ name: string, path: string, ready: (page: Page) => Promise<unknown>, published?: boolean }} Look */

const themes = /** @type {const} */ (['light', 'dark']);
const sizes = /** @type {const} */ ([['1280', DESKTOP], ['390', PHONE]]);

/**
 * @param {import('../lib/browser.js').Person} person
 * @param {Look} look
 */
async function examine({ page, problems }, { name, path, ready, published = false }) {
  await page.setViewportSize(DESKTOP);
  await page.goto('about:blank');
  await page.goto(path);
  await ready(page);
  for (const theme of themes) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    for (const [width, viewport] of sizes) {
      const where = `${name}, ${theme}, ${width} px`;
      await page.setViewportSize(viewport);
      await page.mouse.move(0, 0);
      await eventually(`${where}: the theme is on`, async () => {
        const now = await page.evaluate(() => document.documentElement.getAttribute('data-mantine-color-scheme'));
        if (now !== theme) throw new Error(`it is ${now}`);
      });
      await assertNoSidewaysScroll(page, where);
      await assertAccessible(page, where);
      await picture(page, `pages/${name}-${theme}-${width}`, { published });
    }
  }
  problems.assertNone(name);
}

/** @param {() => Promise<import('../lib/browser.js').Person>} open @param {Look[]} looks */
function examineAll(open, looks) {
  for (const look of looks) {
    test(look.name, { timeout: 90_000 }, async () => {
      const person = await open();
      person.problems.allow(/^answer 404 GET /);
      await examine(person, look);
      await person.close();
    });
  }
}

/** Told of what does not happen here, so that nothing is sent anywhere. */
async function addEndpoints() {
  const settings = await admin.call('GET', '/notifications/settings');
  const smtp = { host: 'mail.example.com', port: 587, tls: 'STARTTLS', username: 'proxima', password: CUSTOMER_PASSWORD, from: 'proxima@example.com' };
  await admin.call('PUT', '/notifications/settings', { ...settings, updatedAt: undefined, smtp });
  const about = { events: ['endpoint.disabled'], enabled: true };
  await admin.call('POST', '/notifications/endpoints', { ...about, kind: 'WEBHOOK', description: 'Pager of the night shift', url: 'https://hooks.example.com/proxima' });
  await admin.call('POST', '/notifications/endpoints', { ...about, kind: 'EMAIL', description: 'Operators', recipients: ['ops@example.com', 'on-call@example.com'] });
}

const edit = (/** @type {string} */ state) => `/admin/users/${users[state].id}`;
const cards = async (/** @type {Page} */ page) => {
  await visible(page.getByRole('group', { name: 'Listener 2' }));
  await visible(button(page, 'Reveal license key'));
};
/** @param {string} opener @param {string} title */
const withDialog = (opener, title) => async (/** @type {Page} */ page) => {
  await visible(button(page, opener));
  await button(page, opener).click();
  await visible(page.getByRole('dialog', { name: title, exact: true }));
};

examineAll(() => world.person(), [
  { name: 'login', published: true, path: '/login', ready: (page) => visible(field(page, 'Username')) },
  { name: 'login-personal', path: '/login/northwind', ready: (page) => visible(heading(page, /^Welcome, Northwind Outfitters$/)) },
  { name: 'login-ended', path: '/login?ended=true&redirect=%2Fapp', ready: (page) => visible(page.getByText('Your session has ended.')) },
]);

examineAll(() => world.adminPage(), [
  { name: 'fleet', published: true, path: '/admin/fleet', ready: (page) => visible(page.getByText('Key in use on several hosts')) },
  { name: 'users', published: true, path: '/admin/users', ready: (page) => visible(page.getByRole('link', { name: 'tidewater', exact: true })) },
  { name: 'users-none-match', path: '/admin/users?search=nobody', ready: (page) => visible(page.getByText('No users match')) },
  { name: 'users-delete', path: '/admin/users', ready: withDialog('Delete millbrook', 'Delete millbrook') },
  { name: 'add-user', published: true, path: '/admin/users/new', ready: (page) => visible(field(page, 'Username')) },
  {
    name: 'add-user-errors',
    path: '/admin/users/new',
    ready: async (page) => {
      await button(page, 'Create User').click();
      await visible(page.getByText('Enter a username.'));
    },
  },
  { name: 'edit-online', published: true, path: edit('online'), ready: cards },
  { name: 'edit-grace', path: edit('grace'), ready: cards },
  { name: 'edit-rejected', path: edit('rejected'), ready: cards },
  { name: 'edit-shared', path: edit('shared'), ready: cards },
  { name: 'edit-admin', path: '/admin/users', ready: async (page) => {
    await page.getByRole('link', { name: 'night-shift', exact: true }).click();
    await visible(card(page, 'Account'));
  } },
  { name: 'edit-revoke', path: edit('online'), ready: withDialog('Revoke', 'Revoke license') },
  { name: 'edit-reinstate', path: edit('grace'), ready: withDialog('Reinstate', 'Reinstate license') },
  { name: 'edit-regenerate', path: edit('online'), ready: withDialog('Regenerate', 'Regenerate license key') },
  { name: 'edit-rotate', path: edit('online'), ready: withDialog('Rotate', 'Rotate license key') },
  { name: 'edit-rotating', path: edit('offline'), ready: (page) => visible(page.getByText('Waiting for the gateway to take its new key')) },
  { name: 'audit', published: true, path: '/admin/audit?action=server.license.revoke', ready: async (page) => {
    const row = page.getByRole('table', { name: 'Audit log' }).getByRole('row').filter({ hasText: 'server.license.revoke' }).first();
    await row.getByRole('button', { name: /Show details/ }).click();
    await visible(page.getByText('Hash', { exact: true }));
  } },
  { name: 'settings', published: true, path: '/admin/settings', ready: (page) => visible(page.getByText('203.0.113.64/28')) },
  { name: 'account', path: '/account', ready: (page) => visible(field(page, 'Display name')) },
  // Passkeys belong to a name, never to an address.
  { name: 'account-security', published: true, path: `${world.url.replace('127.0.0.1', 'localhost')}/account/security`, ready: async (page) => {
    await visible(page.getByText('This device'));
    await visible(button(page, 'Set up'));
    await visible(button(page, 'Add passkey'));
  } },
  { name: 'settings-notifications-none', path: '/admin/settings/notifications', ready: async (page) => {
    await visible(page.getByText('Nobody is notified yet'));
    await visible(card(page, 'When to notify'));
  } },
  { name: 'settings-notifications', published: true, path: '/admin/settings/notifications', ready: async (page) => {
    await addEndpoints();
    await page.reload();
    await visible(page.getByRole('link', { name: 'Pager of the night shift' }));
    await visible(button(page, 'Send test message'));
  } },
  { name: 'settings-webhook', path: '/admin/settings/notifications/new?kind=WEBHOOK', ready: (page) => visible(field(page, 'URL')) },
  { name: 'settings-keys', path: '/admin/settings/keys', ready: (page) => visible(page.getByRole('table', { name: 'Signing keys' })) },
  { name: 'audit-retention', path: '/admin/audit', ready: async (page) => {
    await button(page, 'Retention…').click();
    await page.getByLabel('For a number of days').click();
    await visible(field(page, 'Days'));
  } },
  { name: 'not-found', path: '/no/such/page', ready: (page) => visible(heading(page, /^Page not found$/)) },
]);

const manage = (/** @type {Page} */ page) => visible(page.getByRole('group', { name: 'Listener 2' }));
for (const [username, , state] of CUSTOMERS.filter(([, , state]) => !['shared', 'offline'].includes(state))) {
  examineAll(async () => world.person({ api: await signInApi(world.url, { username, password: CUSTOMER_PASSWORD }) }), [
    { name: `app-${state}`, published: state === 'online', path: '/app', ready: state === 'new' ? (page) => visible(page.getByText('203.0.113.7, 203.0.113.64/28')) : manage },
  ]);
}

test('navigation on a phone', async () => {
  const { page, problems, close } = await world.adminPage({ viewport: PHONE });
  await page.goto('/admin/fleet');
  await button(page, 'Open navigation').click();
  await visible(page.getByRole('link', { name: 'Audit Log' }));
  for (const theme of themes) {
    await page.emulateMedia({ colorScheme: theme });
    await assertNoSidewaysScroll(page, `navigation, ${theme}`);
    await assertAccessible(page, `navigation, ${theme}`);
    await picture(page, `pages/navigation-${theme}-390`, { published: true });
  }
  await page.getByRole('link', { name: 'Audit Log' }).click();
  await visible(heading(page, /^Audit Log$/));
  await visible(button(page, 'Open navigation'));
  problems.assertNone();
  await close();
});
