// How long an install takes from the click to the first heartbeat, and what fifty at once ask of one dashboard.
//
// Usage: scripts/lab run node bench/installs/measure.mjs [--dashboard PROGRAM] [--gateway PROGRAM] [--runs N] [--boxes N]
//                                                        [--folder FOLDER] [--help]
//
// Boots boxes of the VPS lab (real Debian, systemd, sshd), starts the dashboard with a data folder and a PostgreSQL of its own
// in FOLDER (default /tmp), and installs the gateway by the API: N times on one box, alone; then on all boxes, asked for at
// once. Prints Markdown on standard output and what it does on standard error. Ends with 1 when a limit is not kept, when an
// install is lost, or when one overtakes another.
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { arch, cpus } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CUSTOMER_PASSWORD, signInApi } from '../../e2e/lib/api.js';
import { ADMIN } from '../../e2e/lib/dashboard.js';
import { run, start } from '../../e2e/lib/process.js';
import { eventually } from '../../e2e/lib/wait.js';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const architecture = { x64: 'x86_64', arm64: 'aarch64' }[arch()] ?? arch();
const { values: options } = parseArgs({
  options: {
    dashboard: { type: 'string', default: path.join(root, 'target/release/proxima-dashboard') },
    gateway: { type: 'string', default: path.join(root, 'target/releases', architecture, 'proxima-gateway') },
    runs: { type: 'string', default: '5' },
    boxes: { type: 'string', default: '50' },
    folder: { type: 'string', default: '/tmp' },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  const head = readFileSync(fileURLToPath(import.meta.url), 'utf8').split('\nimport ')[0];
  process.stdout.write(head.replaceAll(/^\/\/ ?/gm, '') + '\n');
  process.exit(0);
}
const [runs, boxCount] = [Number.parseInt(options.runs, 10), Number.parseInt(options.boxes, 10)];

/** Seconds from the click to the first heartbeat, of which ours; bytes of the gateway. */
const LIMITS = { total: 15, ours: 5, bytes: 15_000_000 };
/** Jobs that the dashboard is told to run at once, at most: its default. */
const AT_ONCE = 8;
/** The steps in which the box works by itself: our program there, its useradd and its systemd. All else counts as ours. */
const BOX_STEPS = ['BINARY', 'USER', 'CONFIG', 'UNIT', 'START'];
const PORT = 8080;
const LAB = path.join(root, 'scripts/lab');
const failures = [];
const say = (line) => process.stderr.write(`bench: ${line}\n`);

/** Starts of two jobs that are closer than this may have been taken in one go, seconds. */
const SAME_GO = 0.05;

async function boot(name) {
  const printed = await run(LAB, ['up', name, '--dashboard-port', String(PORT), '--with', String(process.pid)]);
  const said = new Map(printed.split('\n').filter((line) => line.includes('=')).map((line) => line.split(/=(.*)/s).slice(0, 2)));
  return { name, address: said.get('ADDRESS'), password: said.get('ROOT_PASSWORD') };
}

/** All of a list, a few at a time. */
async function each(list, atOnce, work) {
  const waiting = [...list.entries()];
  const results = [];
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) results[next[0]] = await work(next[1], next[0]);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}

async function startDashboard(folder) {
  const binaries = path.join(folder, 'gateways', architecture);
  mkdirSync(binaries, { recursive: true });
  copyFileSync(options.gateway, path.join(binaries, 'proxima-gateway'));
  const env = {
    ...process.env, PROXIMA_DATA_DIR: path.join(folder, 'dashboard'), PROXIMA_FIRST_ADMIN: 'never', PROXIMA_ADMIN_SECOND_FACTOR: 'optional',
  };
  delete env.DATABASE_URL;
  const args = ['serve', '--listen', `0.0.0.0:${PORT}`, '--gateway-url', `http://127.0.0.1:${PORT}`, '--allow-outbound', '10.213.0.0/16',
    '--gateway-binaries', path.join(folder, 'gateways'), '--jobs-at-once', String(AT_ONCE)];
  const dashboard = start(options.dashboard, args, { env, log: path.join(folder, 'dashboard.log') });
  const url = `http://127.0.0.1:${PORT}`;
  await eventually('the dashboard is ready', async () => {
    if (!dashboard.running()) throw new Error(dashboard.log().slice(-2000));
    if (!(await fetch(`${url}/readyz`)).ok) throw new Error('not ready');
  }, { timeout: 90_000 });
  await run(options.dashboard, ['create-admin', '--username', ADMIN.username, '--password-stdin'], { env, input: `${ADMIN.password}\n` });
  const socket = path.join(folder, 'dashboard/postgres/socket');
  return { url, pid: dashboard.child.pid, socket, stop: () => dashboard.stop(60) };
}

/** What the database says, as JSON. */
function ask(socket, query) {
  const args = ['-h', socket, '-U', 'proxima', '-d', 'proxima', '-At', '-c', `SELECT coalesce(json_agg(t), '[]') FROM (${query}) t`];
  return JSON.parse(execFileSync('psql', args, { encoding: 'utf8' }));
}

/** A customer, whose server is connected to this box: all that comes before the click. */
async function connect(api, box, name) {
  const { server } = await api.createCustomer(name);
  await login(api, server.id, box);
  return server.id;
}

async function login(api, id, box) {
  await api.call('PUT', `/servers/${id}/connection`, { host: box.address, port: 22, user: 'root', password: box.password });
  const { connection, problem } = await api.call('POST', `/servers/${id}/connection/host-key`, {});
  if (problem) throw new Error(JSON.stringify(problem));
  await api.call('POST', `/servers/${id}/connection/host-key/confirm`, { fingerprint: connection.shownHostKey.fingerprint });
}

const ended = (api, id, job) =>
  eventually('the job ends', async () => {
    const seen = await api.call('GET', `/servers/${id}/jobs/${job}`);
    if (!seen.finishedAt) throw new Error(`${seen.state}`);
    return seen;
  }, { timeout: 900_000 });

async function succeeded(api, id, kind) {
  const { id: job } = await api.call('POST', `/servers/${id}/jobs`, { kind });
  const seen = await ended(api, id, job);
  if (seen.state !== 'SUCCEEDED') throw new Error(`${kind}: ${JSON.stringify(seen.problem)}`);
  return seen;
}

const seconds = (from, to) => (Date.parse(to) - Date.parse(from)) / 1000;
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const two = (number) => number.toFixed(2);

/** Seconds of one install: to its first heartbeat, of which the box's steps; and of each step. */
function times(job) {
  const step = (id) => job.steps.find((one) => one.id === id);
  const lasted = (id) => seconds(step(id).startedAt, step(id).finishedAt);
  const total = seconds(job.requestedAt, step('HEARTBEAT').finishedAt);
  const box = BOX_STEPS.reduce((sum, id) => sum + lasted(id), 0);
  return { total, box, ours: total - box, whole: seconds(job.requestedAt, job.finishedAt), steps: Object.fromEntries(job.steps.map(({ id }) => [id, lasted(id)])) };
}

async function alone(api, box) {
  const id = await connect(api, box, 'alone');
  const measured = [];
  for (let count = 0; count <= runs; count += 1) {
    if (count > 0) await login(api, id, box);
    const taken = times(await succeeded(api, id, 'INSTALL'));
    // The first one warms the machine's caches and is not counted.
    if (count > 0) measured.push(taken);
    await succeeded(api, id, 'UNINSTALL');
  }
  const of = (pick) => measured.map(pick);
  const row = (name, pick, limit) =>
    `| ${name} | ${two(median(of(pick)))} | ${two(Math.min(...of(pick)))} | ${two(Math.max(...of(pick)))} | ${limit ?? ''} |`;
  const steps = Object.keys(measured[0].steps);
  for (const [what, limit] of [['total', LIMITS.total], ['ours', LIMITS.ours]]) {
    const found = median(of((one) => one[what]));
    if (found > limit) failures.push(`an install takes ${two(found)} s (${what}), more than ${limit} s`);
  }
  return [
    `| One install alone, seconds, ${runs} runs | median | fastest | slowest | limit |`,
    '|---|--:|--:|--:|--:|',
    row('click to first heartbeat', (one) => one.total, LIMITS.total),
    row('of which ours', (one) => one.ours, LIMITS.ours),
    row('of which the box\'s own', (one) => one.box),
    row('to the end, with the key traded', (one) => one.whole),
    ...steps.map((id) => row(`step ${id}`, (one) => one.steps[id])),
  ];
}

/** Connections to any port 22 that are established in this network namespace (proc_net(5)). */
function sshConnections() {
  const lines = readFileSync('/proc/self/net/tcp', 'utf8').split('\n').slice(1);
  return lines.filter((line) => / [0-9A-F]{8}:0016 01 /.test(line)).length;
}

const kib = (pid, field) => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

function machineBusy() {
  const fields = readFileSync('/proc/stat', 'utf8').split('\n')[0].split(/\s+/).slice(1, 9).map(Number);
  return fields.reduce((sum, ticks, at) => sum + (at === 3 || at === 4 ? 0 : ticks), 0) / 100;
}

/** How much of the processors everything takes while nothing is measured, in percent. */
async function noise() {
  const before = machineBusy();
  await sleep(10_000);
  return ((machineBusy() - before) / 10 / cpus().length) * 100;
}

async function atOnce(api, dashboard, boxes) {
  const ids = await each(boxes, 4, (box, at) => connect(api, box, `customer${at}`));
  const idle = kib(dashboard.pid, 'VmRSS');
  let [connections, sampling] = [0, true];
  const sampler = (async () => {
    for (; sampling; await sleep(20)) connections = Math.max(connections, sshConnections());
  })();
  const [began, busy] = [Date.now(), machineBusy()];
  const jobs = [];
  for (const id of ids) jobs.push((await api.call('POST', `/servers/${id}/jobs`, { kind: 'INSTALL' })).id);
  const asked = (Date.now() - began) / 1000;
  const seen = await each(ids, 4, (id, at) => ended(api, id, jobs[at]));
  sampling = false;
  await sampler;
  const took = Math.max(...seen.map((job) => Date.parse(job.finishedAt))) - Date.parse(seen[0].requestedAt);
  const used = (machineBusy() - busy) / (took / 1000) / cpus().length;
  return { ...judge(dashboard, seen), connections, asked, took: took / 1000, idle, peak: kib(dashboard.pid, 'VmHWM'), used };
}

function judge(dashboard, seen) {
  const rows = ask(dashboard.socket, `SELECT id, state, fence, extract(epoch FROM requested_at) AS requested, extract(epoch FROM started_at) AS started,
    extract(epoch FROM finished_at) AS finished FROM jobs WHERE id IN (${seen.map(({ id }) => `'${id}'`).join()}) ORDER BY requested_at, id`);
  const running = rows.map((at) => rows.filter((one) => one.started <= at.started && one.finished > at.started).length);
  const overtaken = rows.filter((row, at) => rows.slice(at + 1).some((later) => later.started < row.started - SAME_GO)).length;
  const lost = rows.filter(({ state }) => state !== 'SUCCEEDED');
  const most = Math.max(...running);
  if (rows.length !== seen.length || lost.length > 0) failures.push(`${lost.length} of ${seen.length} installs did not succeed`);
  if (overtaken > 0) failures.push(`${overtaken} jobs were overtaken by later ones`);
  if (most > AT_ONCE) failures.push(`${most} jobs ran at once, more than ${AT_ONCE}`);
  const waits = rows.map(({ requested, started }) => started - requested);
  const lasted = rows.map(({ started, finished }) => finished - started);
  return { most, overtaken, succeeded: rows.length - lost.length, takes: Math.max(...rows.map(({ fence }) => fence)), longestWait: Math.max(...waits), lasted: median(lasted) };
}

/** Each box's systemd has several inotify instances; Linux allows 128 of one user in all. */
function allowBoxes() {
  const file = '/proc/sys/fs/inotify/max_user_instances';
  const [before, wanted] = [Number(readFileSync(file, 'utf8')), 128 + boxCount * 16];
  if (before >= wanted) return;
  writeFileSync(file, String(wanted));
  process.on('exit', () => writeFileSync(file, String(before)));
}

async function main() {
  allowBoxes();
  const folder = mkdtempSync(path.join(options.folder, 'proxima-bench-installs-'));
  chmodSync(folder, 0o711);
  mkdirSync(path.join(folder, 'dashboard'));
  chmodSync(path.join(folder, 'dashboard'), 0o711);
  let dashboard;
  try {
    say(`booting ${boxCount} boxes`);
    const boxes = await each(Array.from({ length: boxCount }, (_, at) => `bench-${process.pid}-${at}`), 3, boot);
    dashboard = await startDashboard(folder);
    const api = await signInApi(dashboard.url);
    say(`one install alone, ${runs} times`);
    const quiet = [await noise()];
    const tables = await alone(api, boxes[0]);
    quiet.push(await noise());
    say(`${boxCount} installs at once`);
    const result = await atOnce(api, dashboard, boxes);
    const bytes = statSync(options.gateway).size;
    if (bytes > LIMITS.bytes) failures.push(`the gateway has ${bytes} bytes`);
    const rows = [
      ['Boxes, each with its own systemd and sshd', boxCount],
      ['Installs that succeeded', result.succeeded],
      ['Jobs that were overtaken by later ones', result.overtaken],
      ['Most jobs at once (--jobs-at-once 8)', result.most],
      ['Most SSH connections at once', result.connections],
      ['Times that a job was taken, at most', result.takes],
      ['Asking for all, s', two(result.asked)],
      ['From the first click to the end of the last job, s', two(result.took)],
      ['One job, median, s', two(result.lasted)],
      ['Longest wait for a place, s', two(result.longestWait)],
      ['Dashboard\'s memory before and at its peak, MiB', `${(result.idle / 1024).toFixed(0)} and ${(result.peak / 1024).toFixed(0)}`],
      ['Processors in use meanwhile, boxes included, %', (result.used * 100).toFixed(0)],
      [`Processors in use by ${boxCount} idle boxes and all else on the machine, before each of the two, %`, quiet.map((one) => one.toFixed(0)).join(' and ')],
    ];
    const more = ['', `| ${boxCount} installs at once | |`, '|---|--:|', ...rows.map(([name, value]) => `| ${name} | ${value} |`),
      '', '| The gateway that is sent | |', '|---|--:|', `| Bytes | ${bytes} |`, `| MB (limit ${LIMITS.bytes / 1e6}) | ${two(bytes / 1e6)} |`];
    process.stdout.write([...tables, ...more].join('\n') + '\n');
  } finally {
    await dashboard?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
for (const failure of failures) say(`FAILED ${failure}`);
// The boxes go down with this process.
process.exit(failures.length > 0 ? 1 : 0);
