// Chromium, and a page that notes everything that goes wrong on it.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const FAILURES = join(import.meta.dirname, '../../.cache/browser-failures');

export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** @typedef {Awaited<ReturnType<typeof openPerson>>} Person */

/** @type {Set<import('playwright-core').Page>} */
const open = new Set();

/**
 * What every open page shows, for whoever looks for the reason of a failure.
 * @param {string} name
 */
export async function photographAll(name) {
  mkdirSync(FAILURES, { recursive: true });
  let number = 0;
  for (const page of open) {
    number += 1;
    const path = join(FAILURES, `${name.replaceAll(/[^a-z0-9]+/gi, '-')}-${number}.png`);
    await page.screenshot({ path, timeout: 5_000 }).catch(() => {});
  }
}

/**
 * A browser profile of its own with one page.
 * @param {import('playwright-core').Browser} browser
 * @param {string} url the dashboard's
 * @param {{ theme?: 'light' | 'dark', viewport?: { width: number, height: number }, api?: import('./api.js').Api, permissions?: string[] }} [options]
 */
export async function openPerson(browser, url, { theme = 'light', viewport = DESKTOP, api, permissions = [] } = {}) {
  const context = await browser.newContext({
    baseURL: url,
    // Nobody else vouches for a certificate that a test made.
    ignoreHTTPSErrors: url.startsWith('https:'),
    viewport,
    colorScheme: theme,
    reducedMotion: 'reduce',
    locale: 'en-GB',
    timezoneId: 'UTC',
    permissions,
  });
  context.setDefaultTimeout(30_000);
  if (api) {
    const cookie = /** @type {const} */ ({ ...api.cookie(), httpOnly: true, sameSite: 'Strict' });
    await context.addCookies([cookie, { ...cookie, url: cookie.url.replace('127.0.0.1', 'localhost') }]);
  }
  const page = await context.newPage();
  open.add(page);
  page.on('close', () => open.delete(page));
  return { context, page, problems: watch(page), close: () => context.close() };
}

/**
 * Notes errors in the console (a broken content security policy among them), exceptions, dialogs, failed and refused requests.
 * @param {import('playwright-core').Page} page
 */
export function watch(page) {
  /** @type {string[]} */
  let seen = [];
  /** @type {RegExp[]} */
  const expected = [
    // How the login page learns that nobody is signed in.
    /^answer 401 GET \/api\/v1\/me$/,
  ];
  page.on('console', (message) => {
    // A refused request is noted below, with its address.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) seen.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => seen.push(`exception: ${error.message}`));
  page.on('dialog', (dialog) => {
    seen.push(`dialog: ${dialog.type()} ${dialog.message()}`);
    void dialog.dismiss().catch(() => {});
  });
  page.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText ?? '';
    // Left behind by a navigation, or given up by the page itself.
    if (reason !== 'net::ERR_ABORTED') seen.push(`failed ${reason} ${request.method()} ${request.url()}`);
  });
  page.on('response', (response) => {
    const { pathname } = new URL(response.url());
    if (response.status() >= 400) seen.push(`answer ${response.status()} ${response.request().method()} ${pathname}`);
  });
  return {
    /** @param {...RegExp} patterns what this test provokes itself */
    allow: (...patterns) => void expected.push(...patterns),
    /** Nothing unexpected happened since the last time. */
    assertNone(where = '') {
      const unexpected = seen.filter((problem) => !expected.some((pattern) => pattern.test(problem)));
      seen = [];
      assert.deepEqual(unexpected, [], `problems on the page ${where}`);
    },
  };
}

/**
 * The page is as wide as the window: nobody scrolls sideways.
 * @param {import('playwright-core').Page} page
 * @param {string} where
 */
export async function assertNoSidewaysScroll(page, where) {
  const [content, window_] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(content <= window_, `${where}: the content is ${content} px wide in a window of ${window_} px`);
}
