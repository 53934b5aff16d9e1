import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { Connection, Server } from '@/api/types';
import { mockApi } from '@/test/api';
import { aConnection, aJob, aServer, NO_CONNECTION, SERVER_ID } from '@/test/data';
import { show } from '@/test/render';
import { GatewayCard, updateRefusal } from './GatewayCard';

const JOBS = `/servers/${SERVER_ID}/jobs`;

async function card(server: Server = aServer(), connection: Connection = aConnection(), busy = false, installRefusal: string | null = null) {
  const api = mockApi({
    'GET /platform': { body: { dashboardIpAllowlist: [], version: '1.0.0', installRefusal } },
    [`GET /servers/${SERVER_ID}/connection`]: { body: connection },
    [`POST ${JOBS}`]: { status: 202, body: aJob() },
    [`GET ${JOBS}`]: { body: { items: [], nextCursor: null } },
  });
  const shown = await show(<GatewayCard server={server} connection={connection} busy={busy} />);
  await waitFor(() => {
    expect(api.sent(`GET /servers/${SERVER_ID}/connection`)).not.toHaveLength(0);
  });
  return { api, ...shown };
}

const button = (name: string) => screen.getByRole('button', { name });

describe('updateRefusal', () => {
  it('refuses an update to the version that runs already, and nothing that is not known', () => {
    expect(updateRefusal('1.0.0', '1.0.0')).toMatch(/already: 1\.0\.0/);
    expect(updateRefusal('0.9.0', '1.0.0')).toBeUndefined();
    expect(updateRefusal(null, '1.0.0')).toBeUndefined();
    expect(updateRefusal('1.0.0', undefined)).toBeUndefined();
  });
});

describe('GatewayCard', () => {
  it.each([
    ['nothing is known', NO_CONNECTION, 'ONLINE', true],
    ['its host key waits to be confirmed after a test', aConnection({ hostKey: null, hostKeyState: 'UNCONFIRMED' }), 'ONLINE', true],
    ['it may be unreachable', aConnection(), 'OFFLINE', true],
    ['it can be logged in to', aConnection(), 'ONLINE', false],
  ] as const)('shows what is done on the machine itself while %s', async (_, connection, status, shown) => {
    await card(aServer({ status }), connection);
    expect(screen.queryByText('sudo systemctl restart proxima-gateway') !== null).toBe(shown);
  });

  it('begins nothing where gateways have no address to report to', async () => {
    const { api, user } = await card(aServer(), aConnection(), false, 'Its operator sets it with --public-url');
    await waitFor(() => {
      expect(button('Re-install')).toHaveAttribute('aria-disabled', 'true');
    });
    await user.click(button('Re-install'));
    expect(screen.queryByRole('dialog')).not.toBeInTheDocument();
    expect(api.sent(`POST ${JOBS}`)).toHaveLength(0);
  });

  it('has nothing to update when the versions are equal, and says so', async () => {
    const { api, user } = await card();
    await waitFor(() => {
      expect(button('Update')).toHaveAttribute('aria-disabled', 'true');
    });
    await user.hover(button('Update'));
    expect(await screen.findByText(/runs this dashboard’s version already/)).toBeInTheDocument();
    await user.click(button('Update'));
    expect(screen.queryByRole('dialog')).not.toBeInTheDocument();
    expect(api.sent(`POST ${JOBS}`)).toHaveLength(0);
  });

  it('says what an update means for visitors before it begins', async () => {
    const { api, user } = await card(aServer({ installedVersion: '0.9.0' }));
    await user.click(button('Update'));
    const dialog = await screen.findByRole('dialog');
    expect(dialog).toHaveTextContent('visitors are refused for some seconds');
    await user.click(within(dialog).getByRole('button', { name: 'Update' }));
    await waitFor(() => {
      expect(api.sent(`POST ${JOBS}`)[0]?.body).toEqual({ kind: 'UPDATE' });
    });
  });

  it('says what to do on a machine that it cannot log in to, and only then', async () => {
    await card(aServer(), NO_CONNECTION);
    expect(screen.getByText('sudo systemctl restart proxima-gateway')).toBeInTheDocument();
    expect(screen.getByText('sudo proxima-gateway setup uninstall --yes')).toBeInTheDocument();
  });

  it('asks for a re-installation in its own words', async () => {
    const { api, user } = await card();
    await user.click(button('Re-install'));
    const dialog = await screen.findByRole('dialog', { name: "Re-install on acme's Server" });
    await user.click(within(dialog).getByRole('button', { name: 'Re-install' }));
    await waitFor(() => {
      expect(api.sent(`POST ${JOBS}`)[0]?.body).toEqual({ kind: 'INSTALL' });
    });
  });

  it('uninstalls only after the server’s name was typed', async () => {
    const { api, user } = await card();
    await user.click(button('Uninstall'));
    const dialog = await screen.findByRole('dialog');
    expect(dialog).toHaveTextContent('Visitors are refused from then on');
    expect(within(dialog).getByRole('button', { name: 'Uninstall' })).toBeDisabled();
    await user.type(within(dialog).getByLabelText("Type acme's Server to confirm"), "acme's Server");
    await user.click(within(dialog).getByRole('button', { name: 'Uninstall' }));
    await waitFor(() => {
      expect(api.sent(`POST ${JOBS}`)[0]?.body).toEqual({ kind: 'UNINSTALL' });
    });
  });

  it.each([
    ['a job is under way', aConnection(), true],
    ['the host key has changed', aConnection({ hostKeyState: 'CHANGED' }), false],
    ['the server is not connected', NO_CONNECTION, false],
  ])('begins nothing while %s', async (_, connection, busy) => {
    const { user } = await card(aServer({ installedVersion: '0.9.0' }), connection, busy);
    for (const name of ['Update', 'Restart', 'Re-install', 'Uninstall']) {
      expect(button(name)).toHaveAttribute('aria-disabled', 'true');
      await user.click(button(name));
    }
    expect(screen.queryByRole('dialog')).not.toBeInTheDocument();
  });
});
