// What people do on the pages, by the words that they read there.
import assert from 'node:assert/strict';
import { eventually } from './wait.js';

/** @typedef {import('playwright-core').Page} Page */

/** @param {Page} page */
export const heading = (page, name = /./, level = 1) => page.getByRole('heading', { name, level });

/**
 * @param {Page} page
 * @param {string} name
 */
export const button = (page, name) => page.getByRole('button', { name, exact: true });

/**
 * @param {Page} page
 * @param {string} label
 */
export const field = (page, label) => page.getByLabel(label, { exact: true });

/**
 * The card with this title.
 * @param {Page} page
 * @param {string} title
 */
export const card = (page, title) => page.getByRole('region', { name: title, exact: true });

/**
 * One value of a card's facts.
 * @param {Page} page
 * @param {string} title
 * @param {string} fact
 */
export const fact = (page, title, fact) =>
  card(page, title).locator('dt', { hasText: new RegExp(`^${fact}$`) }).locator('xpath=following-sibling::dd[1]');

/**
 * @param {import('playwright-core').Locator} locator
 * @param {string | RegExp} text
 * @param {{ timeout?: number }} [options]
 */
export function hasText(locator, text, options) {
  return eventually(`${locator} shows ${text}`, async () => {
    const shown = (await locator.innerText({ timeout: 1_000 })).trim();
    if (typeof text === 'string') assert.equal(shown, text);
    else assert.match(shown, text);
  }, options);
}

/**
 * @param {import('playwright-core').Locator} locator
 * @param {{ timeout?: number }} [options]
 */
export const visible = (locator, options) => locator.first().waitFor({ state: 'visible', ...options });

/** @param {import('playwright-core').Locator} locator */
export const gone = (locator) => locator.first().waitFor({ state: 'hidden' });

/**
 * The message in the corner; read, and put away so that it covers nothing.
 * @param {Page} page
 * @param {string | RegExp} text
 */
export async function toast(page, text) {
  const message = page.getByRole('alert').filter({ hasText: text });
  await visible(message);
  await message.getByRole('button').first().click();
  await gone(message);
}

/**
 * @param {Page} page
 * @param {RegExp | string} path with its query
 */
export function atPath(page, path) {
  return eventually(`the address is ${path}`, () => {
    const { pathname, search } = new URL(page.url());
    if (typeof path === 'string') assert.equal(pathname + search, path);
    else assert.match(pathname + search, path);
  });
}

/**
 * @param {Page} page
 * @param {{ username: string, password: string }} who
 */
export async function signIn(page, { username, password }) {
  await field(page, 'Username').fill(username);
  await field(page, 'Password').fill(password);
  await button(page, 'Sign in').click();
}

/**
 * By the navigation, as a person does.
 * @param {Page} page
 * @param {string} entry
 */
export async function goTo(page, entry) {
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: entry, exact: true }).click();
}

/**
 * @param {Page} page
 * @param {string} username
 */
export async function openUser(page, username) {
  await goTo(page, 'Users');
  await page.getByRole('link', { name: username, exact: true }).click();
  await visible(card(page, 'Account'));
}

/**
 * The dialog that is open.
 * @param {Page} page
 * @param {string} title
 */
export function dialog(page, title) {
  const box = page.getByRole('dialog', { name: title, exact: true });
  return {
    box,
    /**
     * @param {string} name what the dialog asks for
     * @param {string} [typed]
     */
    confirmWith: (name, typed = name) => box.getByLabel(`Type ${name} to confirm`, { exact: true }).fill(typed),
    /** @param {string} name */
    press: (name) => box.getByRole('button', { name, exact: true }).click(),
  };
}

/**
 * Revokes in the License card, by clicks.
 * @param {Page} page
 * @param {number} seconds
 */
export async function revoke(page, seconds) {
  await button(page, 'Revoke').click();
  const { box, press } = dialog(page, 'Revoke license');
  await box.getByLabel('Unit').selectOption('seconds');
  await box.getByLabel('Grace length').fill(String(seconds));
  await press('Revoke license');
  await toast(page, 'The license was revoked.');
}

/**
 * @param {Page} page
 * @param {number} index from 1
 * @param {{ port: number | string, backendUrl: string }} listener
 */
export async function fillListener(page, index, { port, backendUrl }) {
  const group = page.getByRole('group', { name: `Listener ${index}`, exact: true });
  await group.getByLabel('Listen port').fill(String(port));
  await group.getByLabel('Backend URL').fill(backendUrl);
}
