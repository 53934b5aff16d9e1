// HTTPS with a certificate from files, as Settings shows it.
// @ts-check
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { look } from '../lib/look.js';
import { card, gone, visible } from '../lib/pages.js';
import { eventually } from '../lib/wait.js';
import { startWorld } from '../lib/world.js';

// Nobody vouches for the certificates of this file, which is a process of its own.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';

/**
 * Puts a certificate for localhost, which vouches for itself, into the folder.
 * @param {string} folder
 * @param {number} days how long it is good
 */
function makeCertificate(folder, days) {
  const files = { certificate: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const made = ['-days', String(days), ...name, '-keyout', files.key, '-out', files.certificate];
  execFileSync('openssl', ['req', ...kind, ...made], { stdio: 'ignore' });
  return files;
}

const world = await startWorld({
  address: 'https://localhost',
  dashboard: (folder, url) => {
    const { certificate, key } = makeCertificate(folder, 3);
    return ['--tls-cert', certificate, '--tls-key', key, '--public-url', url];
  },
});

test('Settings shows the certificate of the files, that it ends soon, and the one put in its place', async () => {
  const { page, problems, close } = await world.adminPage();
  await page.goto('/admin/settings');
  const section = card(page, 'HTTPS certificate');
  await visible(section.getByText('Needs attention', { exact: true }));
  await visible(section.getByText(/^It ends soon: put a renewed one in place of the files/));
  await visible(section.getByText('Files on the host'));
  await visible(section.getByText('localhost', { exact: true }));
  await visible(section.getByText(/\(in [23] days\)/));
  await look(page, 'settings-certificate');

  makeCertificate(world.folder, 200);
  world.dashboard.reload();
  await eventually('the new one is shown', async () => {
    await page.reload();
    await section.getByText('Good', { exact: true }).waitFor({ timeout: 3_000 });
  });
  await visible(section.getByText(/\(in (199|200) days\)/));
  await gone(section.getByText(/ends soon/));
  problems.assertNone();
  await close();
});
