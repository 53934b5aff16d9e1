// A real dashboard with its own data, on a port of its own.
import { join, resolve } from 'node:path';
import { freshDatabase } from './database.js';
import { freePort } from './ports.js';
import { run, start } from './process.js';
import { eventually } from './wait.js';

const BINARIES = resolve(process.env.PROXIMA_BIN_DIR ?? join(import.meta.dirname, '../../target/debug'));

/** @param {'proxima-dashboard' | 'proxima-gateway'} name */
export const binary = (name) => join(BINARIES, name);

export const ADMIN = { username: 'admin', password: 'lantern-orbit-42-quarry' };

/** @typedef {Awaited<ReturnType<typeof startDashboard>>} Dashboard */

/**
 * @param {string} folder an existing folder that PostgreSQL's user can pass through
 * @param {(folder: string, url: string) => string[]} [options] more of its command line
 * @param {string} [address] scheme and host of its URL
 */
export async function startDashboard(folder, options = () => [], address = 'http://127.0.0.1') {
  const port = await freePort();
  const url = `${address}:${port}`;
  const data = join(folder, 'dashboard');
  const database = process.env.DATABASE_URL ? await freshDatabase(process.env.DATABASE_URL) : null;
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, PROXIMA_DATA_DIR: data, PROXIMA_FIRST_ADMIN: 'never', PROXIMA_BCRYPT_COST: '4', PROXIMA_ADMIN_SECOND_FACTOR: 'optional' };
  if (database) env.DATABASE_URL = database.url;
  const program = binary('proxima-dashboard');
  const more = options(folder, url);

  const serve = () => {
    const args = ['serve', '--listen', `127.0.0.1:${port}`, '--heartbeat-seconds', '1', ...more];
    return start(program, args, { env, log: join(folder, 'dashboard.log') });
  };
  const ready = () =>
    eventually('the dashboard is ready', async () => {
      if (!process_.running()) throw new Error(`it ended: ${process_.log().slice(-2000)}`);
      const answer = await fetch(`${url}/readyz`);
      if (!answer.ok) throw new Error(`readyz ${answer.status}`);
    }, { timeout: 90_000 });

  let process_ = serve();
  await ready();
  await run(program, ['create-admin', '--username', ADMIN.username, '--password-stdin'], { env, input: `${ADMIN.password}\n` });

  return {
    url,
    /** Changes its database, as time would. @param {string} text */
    async sql(text) {
      if (database === null) throw new Error('this needs DATABASE_URL');
      await database.sql(text);
    },
    log: () => process_.log(),
    /** As `systemctl reload` would. */
    reload: () => process_.child.kill('SIGHUP'),
    /** Its key file. */
    keyFile: join(data, 'keys.json'),
    /**
     * Checks an exported audit log as its reader would: with the public key alone.
     * @param {string} file
     * @param {string} publicKey
     */
    verifyExport: (file, publicKey) => run(program, ['audit', 'verify', '--export', file, '--public-key', publicKey]),
    /**
     * Writes the config.json that a customer's gateway starts with.
     * @param {string} username
     * @param {string} output
     */
    exportConfig: (username, output) =>
      run(program, ['export-gateway-config', '--username', username, '--dashboard-url', url, '--output', output], { env }),
    /** Takes it down; `resume` brings it back on the same port with the same data. */
    pause: () => process_.stop(),
    async resume() {
      process_ = serve();
      await ready();
    },
    async stop() {
      await process_.stop(60);
      await database?.drop();
    },
  };
}
