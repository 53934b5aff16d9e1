// What most tests need: a folder, a dashboard and a browser, ended in order with everything that was started meanwhile.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach } from 'node:test';
import { signInApi } from './api.js';
import { launch, openPerson, photographAll } from './browser.js';
import { startDashboard } from './dashboard.js';
import { createGateway } from './gateway.js';
import { startSite } from './site.js';

/** @typedef {Awaited<ReturnType<typeof startWorld>>} World */

/**
 * Call it at the top of a test file.
 * @param {{ dashboard?: Parameters<typeof startDashboard>[1], address?: string }} [options]
 */
export async function startWorld(options = {}) {
  /** @type {(() => Promise<unknown> | void)[]} */
  const endings = [];
  after(async () => {
    for (const end of endings.reverse()) await end();
  });
  afterEach(async (context) => {
    if ('error' in context && context.error) await photographAll(context.name);
  });
  const folder = mkdtempSync(join(tmpdir(), 'proxima-e2e-'));
  // PostgreSQL's user passes through it to its own folder.
  chmodSync(folder, 0o755);
  endings.push(() => rmSync(folder, { recursive: true, force: true }));
  const [dashboard, browser] = await Promise.all([
    startDashboard(folder, options.dashboard, options.address).then((started) => {
      endings.push(() => started.stop());
      return started;
    }),
    launch().then((launched) => {
      endings.push(() => launched.close());
      return launched;
    }),
  ]);
  const { url } = dashboard;
  const admin = await signInApi(url);

  return {
    folder,
    url,
    dashboard,
    browser,
    /** The API as the first admin. */
    admin,
    /** @param {Parameters<typeof openPerson>[2]} [options] */
    person: (options) => openPerson(browser, url, options),
    /** A page of the first admin, signed in already. @param {Parameters<typeof openPerson>[2]} [options] */
    adminPage: (options) => openPerson(browser, url, { api: admin, ...options }),
    /** @param {string} username */
    gateway(username) {
      const gateway = createGateway(dashboard, folder, username);
      endings.push(() => gateway.stop());
      return gateway;
    },
    async site() {
      const site = await startSite();
      endings.push(() => site.stop());
      return site;
    },
    /** @param {() => Promise<unknown> | void} end */
    atEnd: (end) => void endings.push(end),
  };
}
