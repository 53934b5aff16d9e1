import { screen, waitFor } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';
import { mockApi } from '@/test/api';
import { SERVER_ID } from '@/test/data';
import { show } from '@/test/render';
import { InstallCommand } from './InstallCommand';

const TOKEN = `/servers/${SERVER_ID}/install-token`;
const NOW = '2025-11-21T20:30:00Z';
const OPEN = { madeBy: 'acme', madeAt: NOW, expiresAt: '2025-11-21T20:45:00Z' };
const COMMAND = '(echo PROXIMA_INSTALL_TOKEN=pt_secret; curl …) | sh';

async function command(open: typeof OPEN | null = null, installRefusal: string | null = null) {
  const server = { open };
  const api = mockApi({
    [`GET ${TOKEN}`]: () => ({ body: { open: server.open, now: NOW } }),
    [`POST ${TOKEN}`]: () => {
      server.open = OPEN;
      return { status: 201, body: { token: 'pt_secret', command: COMMAND, madeAt: NOW, expiresAt: OPEN.expiresAt, now: NOW } };
    },
    [`DELETE ${TOKEN}`]: () => {
      server.open = null;
      return { status: 204 };
    },
    'GET /platform': { body: { dashboardIpAllowlist: [], version: '1.0.0', installRefusal } },
    [`GET /servers/${SERVER_ID}/jobs`]: { body: { items: [], nextCursor: null } },
  });
  const shown = await show(<InstallCommand serverId={SERVER_ID} installed={false} />);
  await waitFor(() => {
    expect(api.sent(`GET ${TOKEN}`)).not.toHaveLength(0);
  });
  return { api, server, ...shown };
}

const button = (name: string) => screen.findByRole('button', { name });

describe('InstallCommand', () => {
  it('shows a command once, with what it is and how long it is good', async () => {
    const { api, user } = await command();
    await user.click(await button('Make a command'));
    expect(await screen.findByText(COMMAND)).toBeInTheDocument();
    expect(screen.getByText(/contains a secret/)).toBeInTheDocument();
    expect(screen.getByRole('timer')).toHaveTextContent('15:00');
    expect(screen.getByRole('button', { name: 'Copy install command' })).toBeInTheDocument();
    await user.click(await button('Withdraw'));
    await waitFor(() => {
      expect(screen.queryByText(COMMAND)).not.toBeInTheDocument();
    });
    expect(api.sent(`DELETE ${TOKEN}`)).toHaveLength(1);
  });

  it('does not show a command that was made elsewhere, and offers another', async () => {
    const { user, api } = await command(OPEN);
    expect(await screen.findByText(/acme made it/)).toBeInTheDocument();
    expect(screen.queryByText(/pt_/)).not.toBeInTheDocument();
    await user.click(await button('Make another'));
    expect(await screen.findByText(COMMAND)).toBeInTheDocument();
    expect(api.sent(`POST ${TOKEN}`)).toHaveLength(1);
  });

  it('offers no command where gateways have no address to report to, and says where it is set', async () => {
    const { api } = await command(null, 'Its operator sets it with --public-url');
    expect(await screen.findByText(/--public-url/)).toBeInTheDocument();
    expect(await button('Make a command')).toBeDisabled();
    expect(api.sent(`POST ${TOKEN}`)).toHaveLength(0);
  });

  it('looks for the job as soon as the command is used', async () => {
    const { server, client } = await command(OPEN);
    expect(await screen.findByText(/acme made it/)).toBeInTheDocument();
    const refreshed = vi.spyOn(client, 'invalidateQueries');
    server.open = null;
    expect(await screen.findByRole('button', { name: 'Make a command' }, { timeout: 5_000 })).toBeInTheDocument();
    expect(refreshed).toHaveBeenCalledWith({ queryKey: ['jobs', SERVER_ID, 'list'] });
  });
});
