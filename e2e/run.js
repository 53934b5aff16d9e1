// Runs the browser tests: node run.js [--screenshots] [--lab] [FILE...]
// With --lab only those that install on a real box; they need root and scripts/lab.
// Needs the built programs (PROXIMA_BIN_DIR, by default ../target/debug), PostgreSQL (DATABASE_URL, or installed) and Chromium (CHROMIUM).
// With --screenshots only the tests that make pictures: the published ones in docs/screenshots, all others in .cache/screenshots.
import { spawn } from 'node:child_process';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { KEPT, PUBLISHED } from './lib/pictures.js';

const MOST_BYTES = 4 * 1024 * 1024;
const lab = process.argv.includes('--lab');
const tests = join(import.meta.dirname, lab ? 'lab' : 'tests');
const screenshots = process.argv.includes('--screenshots');
const named = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));

const files = readdirSync(tests).filter((name) => name.endsWith('.test.js'));
const chosen = named.length > 0 ? named : files.filter((name) => lab || !screenshots || /^(story|pages)/.test(name)).map((name) => join(tests, name));
/** @type {NodeJS.ProcessEnv} */
const env = { ...process.env };
if (screenshots) {
  for (const root of [PUBLISHED, KEPT])
    for (const made of lab ? ['install', 'command'] : ['pages', 'tour']) rmSync(join(root, made), { recursive: true, force: true });
  env.PROXIMA_SCREENSHOTS = '1';
} else delete env.PROXIMA_SCREENSHOTS;

const child = spawn(process.execPath, ['--test', '--test-concurrency=2', '--test-reporter=spec', ...chosen], { env, stdio: 'inherit' });
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
  if (screenshots) report();
});

function report() {
  const pictures = readdirSync(PUBLISHED, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.png'));
  const bytes = pictures.reduce((sum, name) => sum + statSync(join(PUBLISHED, name)).size, 0);
  console.log(`docs/screenshots: ${pictures.length} pictures, ${(bytes / 1024 / 1024).toFixed(2)} MB`);
  if (bytes > MOST_BYTES) {
    console.error(`that is more than ${MOST_BYTES / 1024 / 1024} MB`);
    process.exitCode = 1;
  }
}
