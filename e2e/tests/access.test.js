// Second factors: an admin enrols, signs in with a code, a recovery code and a passkey, and proves themselves again.
// @ts-check
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CUSTOMER_PASSWORD, signInApi } from '../lib/api.js';
import { ADMIN } from '../lib/dashboard.js';
import { look } from '../lib/look.js';
import { atPath, button, card, dialog, fact, field, gone, hasText, heading, signIn, toast, visible } from '../lib/pages.js';
import { addAuthenticator } from '../lib/passkeys.js';
import { steps } from '../lib/steps.js';
import { totp } from '../lib/totp.js';
import { startWorld } from '../lib/world.js';

const world = await startWorld({ dashboard: () => ['--admin-second-factor', 'required'] });
// Passkeys belong to a name, never to an address.
const url = world.url.replace('127.0.0.1', 'localhost');

/** As if the last proof were longer ago than it holds. */
const proofGrowsOld = () => world.dashboard.sql("UPDATE sessions SET stepped_up_at = stepped_up_at - interval '6 minutes'");

test('an admin and their second factors', { timeout: 240_000 }, async (t) => {
  const step = steps(t);
  const { context, page, problems, close } = await world.person({ permissions: [] });
  problems.allow(/^answer 422 POST \/api\/v1\/auth\/(second-factor|step-up)$/, /^answer 403 /);
  let secret = '';
  /** @type {string[]} */
  let codes = [];
  const signOut = async () => {
    await button(page, 'Sign out').click();
    await visible(heading(page, /^Sign in$/));
  };

  await step('nothing but enrolment is open to an admin without one', async () => {
    await page.goto(`${url}/admin/users`);
    await signIn(page, ADMIN);
    await visible(heading(page, /^Add a second factor$/));
    await page.goto(`${url}/admin/audit`);
    await visible(heading(page, /^Add a second factor$/));
    await visible(button(page, 'Add passkey'));
    await look(page, 'enroll');
  });

  await step('an authenticator app, and recovery codes that are shown once', async () => {
    problems.allow(/^answer 422 POST \/api\/v1\/me\/totp\/confirm$/);
    await button(page, 'Set up').click();
    await visible(page.getByAltText('QR code for your authenticator app'));
    assert.ok(await page.getByAltText('QR code for your authenticator app').evaluate((image) => /** @type {HTMLImageElement} */ (image).naturalWidth > 0), 'the QR code is drawn');
    secret = (await page.locator('[data-secret]').getAttribute('data-secret')) ?? '';
    assert.match(secret, /^[A-Z2-7]{26,}$/);
    await look(page, 'enroll-totp');
    await field(page, 'Code').fill('000000');
    await button(page, 'Confirm').click();
    await page.locator('input[aria-invalid="true"]').waitFor();
    await field(page, 'Code').fill(totp(secret));
    await button(page, 'Confirm').click();
    await visible(heading(page, /^Save your recovery codes$/));
    codes = await page.getByRole('list', { name: 'Recovery codes' }).getByRole('listitem').allInnerTexts();
    assert.equal(new Set(codes).size, 10);
    await look(page, 'enroll-codes');
    const [download] = await Promise.all([page.waitForEvent('download'), button(page, 'Download').click()]);
    for (const code of codes) assert.ok(readFileSync(await download.path(), 'utf8').includes(code));
    assert.ok(await button(page, 'Continue').isDisabled());
    await page.getByLabel('I have saved them').click();
    await button(page, 'Continue').click();
    await atPath(page, '/admin/audit');
    await visible(heading(page, /^Audit Log$/));
  });

  await step('the next sign-in asks for a code', async () => {
    await signOut();
    await signIn(page, ADMIN);
    await visible(heading(page, /^Confirm that it is you$/));
    await look(page, 'login-code');
    const code = page.getByLabel('Code from your authenticator app');
    assert.equal(await code.getAttribute('autocomplete'), 'one-time-code');
    await code.fill('000000');
    await button(page, 'Sign in').click();
    await page.locator('input[aria-invalid="true"]').waitFor();
    // A code is good once, so this is the next one.
    await code.fill(totp(secret, 1));
    await button(page, 'Sign in').click();
    await visible(heading(page, /^Fleet$/));
  });

  await step('a passkey signs in without a password', async () => {
    await addAuthenticator(page);
    await page.goto(`${url}/account/security`);
    await button(page, 'Add passkey').click();
    const { box, press } = dialog(page, 'Add a passkey');
    await box.getByLabel('Name').fill('<b>Work</b> laptop');
    await press('Create passkey');
    await toast(page, /^The passkey was added\./);
    await visible(card(page, 'Passkeys').getByText('<b>Work</b> laptop', { exact: true }));
    await look(page, 'security');
    await signOut();
    await button(page, 'Sign in with a passkey').click();
    await visible(heading(page, /^Fleet$/));
  });

  await step('an old proof is asked for again, and what was typed stays', async () => {
    await proofGrowsOld();
    await page.goto(`${url}/account/security`);
    await button(page, 'Make new codes').click();
    const ask = dialog(page, 'Make new recovery codes');
    await ask.press('Make new codes');
    const again = dialog(page, 'Confirm that it is you');
    await visible(again.box);
    await look(page, 'step-up');
    await again.press('Cancel');
    await gone(again.box);
    await visible(ask.box.getByText('you did not confirm that it is you'));
    await ask.press('Make new codes');
    await again.box.getByLabel('Your password').fill('not-my-password-1');
    await again.press('Confirm');
    await again.box.locator('input[aria-invalid="true"]').waitFor();
    await again.press('Use a passkey');
    await visible(dialog(page, 'Your recovery codes').box);
    codes = await page.getByRole('list', { name: 'Recovery codes' }).getByRole('listitem').allInnerTexts();
    await page.getByLabel('I have saved them').click();
    await dialog(page, 'Your recovery codes').press('Done');
    await hasText(card(page, 'Recovery codes'), /10 of 10/);
  });

  await step('a recovery code lets in once, and every page says so', async () => {
    await signOut();
    await signIn(page, ADMIN);
    await button(page, 'Use a recovery code').click();
    await field(page, 'Recovery code').fill((codes[0] ?? '').toUpperCase());
    await button(page, 'Sign in').click();
    await visible(heading(page, /^Fleet$/));
    await visible(page.getByText('You signed in with a recovery code'));
    await visible(page.getByText(/^9 are left\./));
  });

  await step('another admin who lost theirs is reset, after proving who asks', async () => {
    await page.goto(`${url}/admin/users/new`);
    await field(page, 'Username').fill('night-shift');
    await field(page, 'Password').fill(CUSTOMER_PASSWORD);
    await page.getByLabel('Must be replaced at the first sign-in').uncheck();
    await field(page, 'Role').selectOption('ADMIN');
    await button(page, 'Create User').click();
    await visible(card(page, 'Second factor').getByText('None yet: asked for at the next sign-in'));
    const other = await signInApi(world.url, { username: 'night-shift', password: CUSTOMER_PASSWORD });
    assert.equal((await other.attempt('GET', '/users')).body.code, 'enrollment_required');
    const enrollment = await other.call('POST', '/me/totp');
    const { recoveryCodes } = await other.call('POST', '/me/totp/confirm', { code: totp(enrollment.secret) });
    await page.reload();
    await hasText(fact(page, 'Second factor', 'Recovery codes'), `${recoveryCodes.length} left`);

    await proofGrowsOld();
    await button(page, 'Reset second factor').click();
    const ask = dialog(page, 'Reset second factor');
    await visible(ask.box.getByText('Make sure that it really is them'));
    await look(page, 'edit-second-factor-reset');
    await ask.confirmWith('night-shift');
    await ask.press('Reset second factor');
    const again = dialog(page, 'Confirm that it is you');
    await again.box.getByLabel('Your password').fill(ADMIN.password);
    await again.press('Confirm');
    await toast(page, 'The second factor of night-shift was reset.');
    await visible(card(page, 'Second factor').getByText('None yet: asked for at the next sign-in'));
    assert.equal((await other.attempt('GET', '/me')).status, 401, 'they are signed out');
    assert.equal((await signInApi(world.url, { username: 'night-shift', password: CUSTOMER_PASSWORD })).me.mustEnroll, true);
  });

  problems.assertNone();
  await context.clearCookies();
  await close();
});
