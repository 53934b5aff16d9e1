// Programs that a test starts: each with a log, each ended by its own process id, none left behind.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';

/** @type {Set<import('node:child_process').ChildProcess>} */
const alive = new Set();
// Asked, not killed: a dashboard still has its database to stop.
process.on('exit', () => {
  for (const child of alive) child.kill('SIGTERM');
});
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) process.once(signal, () => process.exit(1));

/**
 * Starts a program; what it prints is added to `log`.
 * @param {string} program
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, log: string }} options
 */
export function start(program, args, { env = process.env, log }) {
  const output = openSync(log, 'a');
  const child = spawn(program, args, { env, stdio: ['ignore', output, output] });
  closeSync(output);
  alive.add(child);
  const ended = new Promise((resolve) => {
    child.once('exit', resolve);
    child.once('error', resolve);
  }).then(() => alive.delete(child));
  return {
    child,
    ended,
    running: () => child.exitCode === null && child.signalCode === null && child.pid !== undefined,
    log: () => readFileSync(log, 'utf8'),
    /** Asks it to end, and insists after a while. */
    async stop(seconds = 30) {
      if (!alive.has(child)) return;
      child.kill('SIGTERM');
      const insist = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
      await ended;
      clearTimeout(insist);
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/**
 * Runs a program to its end and gives what it printed.
 * @param {string} program
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, input?: string }} [options]
 * @returns {Promise<string>}
 */
export async function run(program, args, { env = process.env, input = '' } = {}) {
  const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  alive.add(child);
  let printed = '';
  child.stdout.on('data', (data) => (printed += data));
  child.stderr.on('data', (data) => (printed += data));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code] = await once(child, 'close');
  alive.delete(child);
  if (code !== 0) throw new Error(`${program} ${args[0]} ended with ${code}: ${printed}`);
  return printed;
}

/** @param {string} program */
export function isInstalled(program) {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}
