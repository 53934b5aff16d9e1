import { screen, waitFor, within } from '@testing-library/react';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { License, ServerStatus } from '@/api/types';
import { aConnection, aLicense, aServer, NO_CONNECTION, SERVER_ID } from '@/test/data';
import { mockApi, problem } from '@/test/api';
import { show } from '@/test/render';
import { LicenseCard } from './LicenseCard';

const BASE = `/servers/${SERVER_ID}/license`;
const ROTATION: NonNullable<License['rotation']> = {
  startedAt: '2025-11-21T20:30:00Z',
  startedBy: 'root-admin',
  limitAt: '2025-11-22T20:30:00Z',
  maskedKey: 'pk_•••••…•Zz9q',
};
const ENDED = { startedAt: '2025-11-21T20:30:00Z', endedAt: '2025-11-21T20:30:04Z', adoptedAt: '2025-11-21T20:30:04Z' };

async function card(license: License, more: Parameters<typeof mockApi>[0] = {}, serverStatus: ServerStatus = 'ONLINE') {
  const api = mockApi({
    [`GET ${BASE}`]: { body: license },
    [`GET /servers/${SERVER_ID}/connection`]: { body: aConnection() },
    ...more,
  });
  const shown = await show(<LicenseCard server={aServer({ status: serverStatus })} username="acme" />);
  await screen.findByText('License key');
  return { api, ...shown };
}

const button = (name: string) => screen.getByRole('button', { name });

beforeEach(() => {
  vi.spyOn(Date, 'now').mockReturnValue(Date.parse('2025-11-21T20:31:00Z'));
});

describe('rotating', () => {
  it('says what happens, and sends a day by default', async () => {
    const { user, api } = await card(aLicense(), { [`POST ${BASE}/rotate`]: { body: aLicense({ rotation: ROTATION }) } });
    await user.click(button('Rotate'));
    const dialog = await screen.findByRole('dialog', { name: 'Rotate license key' });
    expect(within(dialog).getByText('Traffic is not interrupted:')).toBeInTheDocument();
    expect(within(dialog).getByText('22 Nov 2025, 20:31 UTC')).toBeInTheDocument();
    api.handlers[`GET ${BASE}`] = { body: aLicense({ rotation: ROTATION }) };
    await user.click(within(dialog).getByRole('button', { name: 'Rotate key' }));
    await waitFor(() => {
      expect(api.sent(`POST ${BASE}/rotate`)[0]?.body).toEqual({ limitSeconds: 86_400 });
    });
    expect(await screen.findByText('Waiting for the gateway to take its new key')).toBeInTheDocument();
  });

  it('sends the chosen limit, and refuses one that the server would refuse', async () => {
    const { user, api } = await card(aLicense(), { [`POST ${BASE}/rotate`]: { body: aLicense({ rotation: ROTATION }) } });
    await user.click(button('Rotate'));
    const amount = await screen.findByLabelText('Time limit');
    await user.clear(amount);
    await user.type(amount, '4');
    await user.selectOptions(screen.getByLabelText('Unit'), 'minutes');
    expect(screen.getByText('At least 5 minutes: a few heartbeats.')).toBeInTheDocument();
    expect(button('Rotate key')).toBeDisabled();
    await user.selectOptions(screen.getByLabelText('Unit'), 'days');
    await user.click(button('Rotate key'));
    await waitFor(() => {
      expect(api.sent(`POST ${BASE}/rotate`)[0]?.body).toEqual({ limitSeconds: 345_600 });
    });
  });

  it('says that another admin was faster', async () => {
    const detail = 'A rotation is open already: begun by root-admin.';
    const { user } = await card(aLicense(), { [`POST ${BASE}/rotate`]: problem({ status: 409, code: 'rotation_open', detail }) });
    await user.click(button('Rotate'));
    await user.click(await screen.findByRole('button', { name: 'Rotate key' }));
    expect(await screen.findByText(detail)).toBeInTheDocument();
  });
});

describe('an open rotation', () => {
  it('shows since when, until when and both keys, and offers no second one', async () => {
    await card(aLicense({ rotation: ROTATION }));
    expect(screen.getByText('pk_•••••…•Ab3f')).toBeInTheDocument();
    expect(screen.getByText('pk_•••••…•Zz9q')).toBeInTheDocument();
    const state = screen.getByText(/Started by root-admin/);
    expect(state).toHaveTextContent('Started by root-admin 1 min ago; the old key ends on 22 Nov 2025, 20:30 UTC at the latest.');
    expect(button('Rotate')).toBeDisabled();
  });

  it.each([
    ['ONLINE', /handed over with the next heartbeat/],
    ['OFFLINE', /The gateway is offline/],
    ['NOT_INSTALLED', /No gateway is installed/],
  ] as const)('says for a server that is %s what it waits for', async (status, words) => {
    await card(aLicense({ rotation: ROTATION }), {}, status);
    expect(screen.getByText(words)).toBeInTheDocument();
  });

  it('is cancelled after a question', async () => {
    const { user, api } = await card(aLicense({ rotation: ROTATION }), { [`POST ${BASE}/rotate/cancel`]: { body: aLicense() } });
    api.handlers[`GET ${BASE}`] = { body: aLicense() };
    await user.click(button('Cancel rotation'));
    const dialog = await screen.findByRole('dialog', { name: 'Cancel rotation' });
    expect(api.sent(`POST ${BASE}/rotate/cancel`)).toHaveLength(0);
    await user.click(within(dialog).getByRole('button', { name: 'Cancel rotation' }));
    await waitFor(() => {
      expect(screen.queryByText('Waiting for the gateway to take its new key')).not.toBeInTheDocument();
    });
    expect(api.sent(`POST ${BASE}/rotate/cancel`)).toHaveLength(1);
  });

  it('is spoken of before a regenerate', async () => {
    const { user } = await card(aLicense({ rotation: ROTATION }));
    await user.click(button('Regenerate'));
    expect(await screen.findByText(/The rotation ends, and the key that it hands over is retired as well/)).toBeInTheDocument();
  });
});

describe('a rotation that ended', () => {
  it('says how long the gateway took', async () => {
    await card(aLicense({ lastRotation: ENDED }));
    expect(screen.getByText(/The gateway took the new key after 4 s/)).toBeInTheDocument();
    expect(screen.queryByText('The gateway has not taken its new key')).not.toBeInTheDocument();
  });

  it('by its limit, without the gateway, offers a re-install', async () => {
    await card(aLicense({ lastRotation: { ...ENDED, adoptedAt: null } }), {}, 'OFFLINE');
    expect(screen.getByText('The gateway has not taken its new key')).toBeInTheDocument();
    expect(button('Re-install now')).toBeEnabled();
  });

  it('by its limit, where nobody can log in, says what to do on the server', async () => {
    const lastRotation = { ...ENDED, adoptedAt: null };
    await card(aLicense({ lastRotation }), { [`GET /servers/${SERVER_ID}/connection`]: { body: NO_CONNECTION } }, 'OFFLINE');
    expect(await screen.findByText(/Make an install command under “Server access”/)).toBeInTheDocument();
    expect(screen.queryByRole('button', { name: 'Re-install now' })).not.toBeInTheDocument();
  });

  it('by its limit, with a gateway that came later, asks for nothing', async () => {
    await card(aLicense({ lastRotation: { ...ENDED, adoptedAt: '2025-11-21T20:30:50Z' } }));
    expect(screen.getByText(/The gateway took the new key after the limit/)).toBeInTheDocument();
    expect(screen.queryByText('The gateway has not taken its new key')).not.toBeInTheDocument();
  });
});
