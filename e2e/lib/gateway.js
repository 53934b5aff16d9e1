// A real gateway under a small supervisor, as systemd would run it.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { binary } from './dashboard.js';
import { start } from './process.js';

const RESTART_SECONDS = Number(process.env.PROXIMA_RESTART_SECONDS ?? 1);

/** @typedef {ReturnType<typeof createGateway>} Gateway */

/**
 * @param {import('./dashboard.js').Dashboard} dashboard
 * @param {string} folder
 * @param {string} username
 */
export function createGateway(dashboard, folder, username) {
  const home = join(folder, `gateway-${username}`);
  const config = join(home, 'config.json');
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const stopping = new AbortController();
  /** @type {ReturnType<typeof start> | undefined} */
  let current;
  let starts = 0;
  /** @type {Promise<void> | undefined} */
  let supervisor;

  const args = ['--config', config, '--state-dir', join(home, 'state'), '--drain-seconds', '2', '--listen-address', '127.0.0.1', '--management-listen', 'off', '--log-format', 'text'];
  async function supervise() {
    while (!stopping.signal.aborted) {
      starts += 1;
      current = start(binary('proxima-gateway'), args, { log: join(home, 'gateway.log') });
      await current.ended;
      await pause(RESTART_SECONDS * 1000, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }

  return {
    /** Fetches the identity, which holds the present license key. */
    async install() {
      rmSync(config, { force: true });
      await dashboard.exportConfig(username, config);
      return /** @type {{ apiKey: string, installId: string }} */ (JSON.parse(readFileSync(config, 'utf8')));
    },
    run() {
      supervisor ??= supervise();
    },
    /** How often the supervisor has started it. */
    starts: () => starts,
    pid: () => (current?.running() ? current.child.pid : undefined),
    log: () => readFileSync(join(home, 'gateway.log'), 'utf8'),
    async stop() {
      stopping.abort();
      await current?.stop();
      await supervisor;
    },
  };
}
