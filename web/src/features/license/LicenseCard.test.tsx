import { screen, waitFor, within } from '@testing-library/react';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { License, Server } from '@/api/types';
import { aConnection, aLicense, aServer, SERVER_ID } from '@/test/data';
import { mockApi, problem } from '@/test/api';
import { show } from '@/test/render';
import { LicenseCard } from './LicenseCard';

const BASE = `/servers/${SERVER_ID}/license`;
const KEY = `pk_${'x'.repeat(39)}Ab3f`;

async function card(license: License, more: Parameters<typeof mockApi>[0] = {}, server: Partial<Server> = {}) {
  const api = mockApi({
    [`GET ${BASE}`]: { body: license },
    [`GET /servers/${SERVER_ID}/connection`]: { body: aConnection() },
    ...more,
  });
  const shown = await show(<LicenseCard server={aServer(server)} username="acme" />);
  await screen.findByText('License key');
  return { api, ...shown };
}

const button = (name: string) => screen.getByRole('button', { name });

describe('LicenseCard', () => {
  it.each([
    ['ACTIVE', { Rotate: true, Regenerate: true, Revoke: true, Reinstate: false }],
    ['GRACE', { Rotate: true, Regenerate: true, Revoke: false, Reinstate: true }],
    ['EXPIRED', { Rotate: true, Regenerate: true, Revoke: false, Reinstate: true }],
  ] as const)('offers in %s only what is allowed', async (status, enabled) => {
    await card(aLicense({ status, graceExpiresAt: status === 'ACTIVE' ? null : '2025-11-26T20:30:00Z' }));
    expect(screen.getByText(status)).toBeInTheDocument();
    for (const [name, on] of Object.entries(enabled)) {
      if (on) expect(button(name)).toBeEnabled();
      else expect(button(name)).toBeDisabled();
    }
  });

  it('says when grace expires only while the status is GRACE', async () => {
    await card(aLicense({ status: 'EXPIRED', graceExpiresAt: '2025-11-26T20:30:00Z' }));
    expect(screen.queryByText('Grace expires')).not.toBeInTheDocument();
  });

  it('shows the end of grace', async () => {
    await card(aLicense({ status: 'GRACE', graceExpiresAt: '2025-11-26T20:30:00Z' }));
    expect(screen.getByText('Grace expires')).toBeInTheDocument();
    expect(screen.getByText(/26 Nov 2025, 20:30 UTC/)).toBeInTheDocument();
  });
});

describe('the key', () => {
  it('is masked, revealed on demand and hidden again', async () => {
    const { user, api } = await card(aLicense(), { [`POST ${BASE}/reveal`]: { body: { apiKey: KEY } } });
    expect(screen.getByText('pk_•••••…•Ab3f')).toBeInTheDocument();
    expect(api.sent(`POST ${BASE}/reveal`)).toHaveLength(0);
    await user.click(button('Reveal license key'));
    expect(await screen.findByText(KEY)).toBeInTheDocument();
    await user.click(button('Hide license key'));
    expect(screen.queryByText(KEY)).not.toBeInTheDocument();
  });

  it('is copied without being shown', async () => {
    const { user } = await card(aLicense(), { [`POST ${BASE}/reveal`]: { body: { apiKey: KEY } } });
    const write = vi.spyOn(navigator.clipboard, 'writeText').mockResolvedValue();
    await user.click(button('Copy license key'));
    await waitFor(() => {
      expect(write).toHaveBeenCalledWith(KEY);
    });
    expect(screen.queryByText(KEY)).not.toBeInTheDocument();
  });
});

describe('revoking', () => {
  beforeEach(() => {
    vi.spyOn(Date, 'now').mockReturnValue(Date.parse('2025-11-21T20:30:00Z'));
  });

  it('sends five days by default and shows when that ends', async () => {
    const grace = aLicense({ status: 'GRACE', graceExpiresAt: '2025-11-26T20:30:00Z' });
    const { user, api } = await card(aLicense(), { [`POST ${BASE}/revoke`]: { body: grace } });
    await user.click(button('Revoke'));
    const dialog = await screen.findByRole('dialog', { name: 'Revoke license' });
    expect(within(dialog).getByText('26 Nov 2025, 20:30 UTC')).toBeInTheDocument();
    await user.click(within(dialog).getByRole('button', { name: 'Revoke license' }));
    await waitFor(() => {
      expect(api.sent(`POST ${BASE}/revoke`)[0]?.body).toEqual({ graceSeconds: 432_000 });
    });
  });

  it('sends the chosen length', async () => {
    const { user, api } = await card(aLicense(), { [`POST ${BASE}/revoke`]: { body: aLicense({ status: 'GRACE' }) } });
    await user.click(button('Revoke'));
    const amount = await screen.findByLabelText('Grace length');
    await user.clear(amount);
    await user.type(amount, '90');
    await user.selectOptions(screen.getByLabelText('Unit'), 'minutes');
    expect(screen.getByText('21 Nov 2025, 22:00 UTC')).toBeInTheDocument();
    await user.click(button('Revoke license'));
    await waitFor(() => {
      expect(api.sent(`POST ${BASE}/revoke`)[0]?.body).toEqual({ graceSeconds: 5_400 });
    });
  });

  it('refuses a length that the server would refuse', async () => {
    const { user } = await card(aLicense());
    await user.click(button('Revoke'));
    const amount = await screen.findByLabelText('Grace length');
    await user.clear(amount);
    await user.type(amount, '400');
    expect(screen.getByText('Use at most 366 days.')).toBeInTheDocument();
    expect(screen.getByText(/Reinstate ends this at any time/)).toBeInTheDocument();
    await user.clear(amount);
    await user.type(amount, '-3');
    await user.tab();
    expect(amount).toHaveValue('-3');
    expect(screen.getByText('Enter a length of zero or more.')).toBeInTheDocument();
    expect(button('Revoke license')).toBeDisabled();
  });

  it('says the present state when somebody else was faster, and refreshes', async () => {
    const { user, api } = await card(aLicense(), {
      [`POST ${BASE}/revoke`]: problem({ status: 409, code: 'license_state_conflict', licenseStatus: 'EXPIRED' }),
    });
    await user.click(button('Revoke'));
    const before = api.sent(`GET ${BASE}`).length;
    await user.click(await screen.findByRole('button', { name: 'Revoke license' }));
    expect(await screen.findByText(/The license is EXPIRED now/)).toBeInTheDocument();
    await waitFor(() => {
      expect(api.sent(`GET ${BASE}`).length).toBeGreaterThan(before);
    });
  });
});

describe('regenerating', () => {
  it('needs the username typed', async () => {
    const { user, api } = await card(aLicense(), { [`POST ${BASE}/regenerate`]: { body: aLicense({ maskedKey: 'pk_•••••…•Zz9q' }) } });
    await user.click(button('Regenerate'));
    const confirm = await screen.findByRole('button', { name: 'Regenerate key' });
    expect(confirm).toBeDisabled();
    await user.type(screen.getByLabelText('Type acme to confirm'), 'acm');
    expect(confirm).toBeDisabled();
    await user.type(screen.getByLabelText('Type acme to confirm'), 'e');
    await user.click(confirm);
    await waitFor(() => {
      expect(api.sent(`POST ${BASE}/regenerate`)).toHaveLength(1);
    });
  });

  it('asks for a re-installation until the gateway has its new key', async () => {
    const jobs = `POST /servers/${SERVER_ID}/jobs`;
    const { user, api } = await card(aLicense(), { [jobs]: { status: 202, body: {} } }, { reinstallNeeded: true });
    expect(screen.getByText('The gateway has to get its new license key')).toBeInTheDocument();
    await user.click(button('Re-install now'));
    await waitFor(() => {
      expect(api.sent(jobs)[0]?.body).toEqual({ kind: 'INSTALL' });
    });
  });

  it.each([
    ['it has it', aLicense(), { reinstallNeeded: false }],
    ['it is being installed', aLicense(), { reinstallNeeded: true, status: 'INSTALLING' }],
    [
      'the rotation that its limit ended says so already',
      aLicense({ lastRotation: { startedAt: '2025-11-20T20:30:00Z', endedAt: '2025-11-21T20:30:00Z', adoptedAt: null } }),
      { reinstallNeeded: true },
    ],
  ] as const)('asks for none when %s', async (_, license, server) => {
    await card(license, {}, server);
    expect(screen.queryByText('The gateway has to get its new license key')).not.toBeInTheDocument();
  });
});
