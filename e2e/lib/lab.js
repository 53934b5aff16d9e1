// A real server to install on: a Debian box with systemd and SSH (scripts/lab), and the ways between it and this machine's loopback.
import { copyFileSync, mkdirSync } from 'node:fs';
import { arch } from 'node:process';
import { join } from 'node:path';
import { binary } from './dashboard.js';
import { freePort } from './ports.js';
import { run, start } from './process.js';

const REPOSITORY = join(import.meta.dirname, '../..');
const LAB = join(REPOSITORY, 'scripts/lab');
/** @type {Record<string, string>} as `uname -m` says it */
const ARCHITECTURES = { x64: 'x86_64', arm64: 'aarch64' };

/** What a dashboard needs to install on lab boxes. @param {string} folder @param {string} url */
export function labOptions(folder, url) {
  const binaries = join(folder, 'gateways');
  const architecture = join(binaries, ARCHITECTURES[arch] ?? arch);
  mkdirSync(architecture, { recursive: true });
  copyFileSync(binary('proxima-gateway'), join(architecture, 'proxima-gateway'));
  return ['--gateway-url', url, '--allow-outbound', '10.213.0.0/16', '--gateway-binaries', binaries];
}

/**
 * @param {import('./world.js').World} world started with `lab`
 * @param {string} name
 */
export async function startBox(world, name) {
  const port = new URL(world.url).port;
  const printed = await run(LAB, ['up', name, '--dashboard-port', port, '--with', String(process.pid)]);
  world.atEnd(() => run(LAB, ['down', name]).then(() => {}));
  const said = Object.fromEntries(printed.split('\n').filter((line) => line.includes('=')).map((line) => line.split(/=(.*)/s).slice(0, 2)));
  /** @param {string} key */
  const fact = (key) => {
    const value = /** @type {string | undefined} */ (said[key]);
    if (value === undefined) throw new Error(`scripts/lab up did not say ${key}`);
    return value;
  };
  const machine = fact('MACHINE_ADDRESS');
  const sitePort = await freePort();
  const forward = start('python3', [join(REPOSITORY, 'scripts/lib/forward.py'), `${machine}:${port}`, `127.0.0.1:${port}`], { log: join(world.folder, 'forward.log') });
  const site = start('python3', [join(REPOSITORY, 'demo/site.py'), '--host', machine, '--port', String(sitePort)], { log: join(world.folder, 'box-site.log') });
  world.atEnd(() => Promise.all([forward.stop(), site.stop()]));
  return {
    address: fact('ADDRESS'),
    password: fact('ROOT_PASSWORD'),
    fingerprints: [fact('HOST_KEY_ED25519'), fact('HOST_KEY_ECDSA')],
    /** The demo website, as the box reaches it. */
    backendUrl: `http://${machine}:${sitePort}`,
    /** Runs a program on the box, as root, and gives what it printed. @param {string[]} command */
    exec: (...command) => run(LAB, ['exec', name, ...command]),
  };
}
