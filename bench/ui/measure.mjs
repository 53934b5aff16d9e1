// How heavy the UI is, and how long chromium takes to a login page that can be used.
//
// Usage: node bench/ui/measure.mjs [--dashboard PROGRAM] [--chromium PROGRAM] [--runs N] [--help]
//
// Weighs web/dist (gzip -9), starts the dashboard (a release build with that web/dist inside) with a data folder of its
// own, and opens its login page N times with a cold cache. "Usable": the Sign in button is visible and enabled and the
// username can be typed into; counted from the navigation's start. Prints Markdown on standard output.
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const { values: options } = parseArgs({
  options: {
    dashboard: { type: 'string', default: path.join(root, 'target/release/proxima-dashboard') },
    chromium: { type: 'string', default: '/usr/bin/chromium' },
    runs: { type: 'string', default: '10' },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  const head = readFileSync(fileURLToPath(import.meta.url), 'utf8').split('\nimport ')[0];
  process.stdout.write(head.replaceAll(/^\/\/ ?/gm, '') + '\n');
  process.exit(0);
}
const runs = Math.min(Math.max(Number.parseInt(options.runs, 10) || 1, 1), 100);
// The end-to-end tests' playwright.
const { chromium } = createRequire(path.join(root, 'e2e/package.json'))('playwright-core');

const dist = path.join(root, 'web/dist');
const files = new Map(
  readdirSync(dist, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const file = path.join(entry.parentPath, entry.name);
      const content = readFileSync(file);
      return [`/${path.relative(dist, file)}`, { plain: content.length, gzipped: gzipSync(content, { level: 9 }).length }];
    }),
);

/** Bytes of the files with this ending, of all or of the named ones. */
function weigh(ending, names = [...files.keys()]) {
  const chosen = names.filter((name) => name.endsWith(ending) && files.has(name));
  const sum = (what) => chosen.reduce((total, name) => total + files.get(name)[what], 0);
  return { count: chosen.length, plain: sum('plain'), gzipped: sum('gzipped') };
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function startDashboard() {
  const folder = mkdtempSync(path.join(tmpdir(), 'proxima-bench-ui-'));
  // PostgreSQL's own user must be able to pass.
  chmodSync(folder, 0o711);
  const url = `http://127.0.0.1:${await freePort()}`;
  const environment = { ...process.env };
  delete environment.DATABASE_URL;
  const flags = ['serve', '--first-admin', 'never', '--admin-second-factor', 'optional', '--data-dir', folder, '--listen', new URL(url).host];
  const child = spawn(options.dashboard, flags, { stdio: 'ignore', env: environment });
  const ended = new Promise((resolve) => child.once('exit', resolve).once('error', resolve));
  const stop = async () => {
    child.kill('SIGTERM');
    await Promise.race([ended, sleep(90_000, null, { ref: false })]);
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  for (let tries = 0; tries < 600 && child.exitCode === null; tries += 1) {
    const answer = await fetch(`${url}/readyz`).catch(() => null);
    if (answer?.ok) return { url, stop };
    await sleep(200);
  }
  await stop();
  throw new Error(`${options.dashboard} did not become ready`);
}

/** Notes in the page when the login form can first be used. */
function watchForForm() {
  const look = () => {
    const button = [...document.querySelectorAll('button[type=submit]')].find((one) => one.textContent.trim() === 'Sign in');
    const username = document.querySelector('input[name=username], input[autocomplete=username]');
    const usable = [button, username].every((one) => one && !one.disabled && one.checkVisibility({ visibilityProperty: true }));
    // The frame that shows it is the one that counts.
    if (usable) requestAnimationFrame(() => setTimeout(() => (globalThis.loginUsableAt = performance.now()), 0));
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

/** One visit with a profile of its own. */
async function visit(url) {
  const browser = await chromium.launch({ executablePath: options.chromium, args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await page.addInitScript(watchForForm);
    const network = await page.context().newCDPSession(page);
    await network.send('Network.enable');
    await network.send('Network.setCacheDisabled', { cacheDisabled: true });
    const paths = [];
    let bytes = 0;
    network.on('Network.responseReceived', ({ response }) => paths.push(new URL(response.url).pathname));
    network.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength));
    await page.goto(`${url}/login`, { waitUntil: 'load', timeout: 60_000 });
    await page.waitForFunction(() => globalThis.loginUsableAt !== undefined, null, { timeout: 60_000 });
    const usable = await page.evaluate(() => globalThis.loginUsableAt);
    await page.waitForLoadState('networkidle', { timeout: 60_000 });
    return { usable, bytes, paths };
  } finally {
    await browser.close();
  }
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const kib = (bytes) => (bytes / 1024).toFixed(1);

const dashboard = await startDashboard();
const visits = [];
try {
  // The first one is not counted: it also fills the system's file cache.
  for (let run = 0; run <= runs; run += 1) {
    const result = await visit(dashboard.url);
    if (run > 0) visits.push(result);
  }
} finally {
  await dashboard.stop();
}

const loaded = [...new Set(visits[0].paths)];
const times = visits.map((one) => one.usable);
const row = (name, { count, plain, gzipped }) => `| ${name} | ${count} | ${kib(plain)} | ${kib(gzipped)} |`;
process.stdout.write(
  [
    '| Files | Number | KiB | KiB gzipped |',
    '|---|--:|--:|--:|',
    row('JavaScript, all of the UI', weigh('.js')),
    row('JavaScript that the login page loads', weigh('.js', loaded)),
    row('CSS, all of the UI', weigh('.css')),
    row('CSS that the login page loads', weigh('.css', loaded)),
    '',
    '| Login page in chromium, cold cache | |',
    '|---|--:|',
    `| Usable after, median of ${times.length}, ms | ${median(times).toFixed(0)} |`,
    `| Fastest and slowest, ms | ${Math.min(...times).toFixed(0)} and ${Math.max(...times).toFixed(0)} |`,
    `| Requests | ${visits[0].paths.length} |`,
    `| KiB received, headers included | ${kib(median(visits.map((one) => one.bytes)))} |`,
    '',
  ].join('\n'),
);
