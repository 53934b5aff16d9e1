import { screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { Server } from '@/api/types';
import { mockApi } from '@/test/api';
import { aConfig, aServer, NO_CONNECTION, SERVER_ID } from '@/test/data';
import { show } from '@/test/render';
import { MyServerPage } from './MyServerPage';
import { ServerView } from './ServerView';

const OF_A_SERVER = {
  [`GET /servers/${SERVER_ID}/config`]: { body: aConfig() },
  [`GET /servers/${SERVER_ID}/connection`]: { body: NO_CONNECTION },
  [`GET /servers/${SERVER_ID}/jobs`]: { body: { items: [], nextCursor: null } },
};

async function view(server: Server, dashboardIpAllowlist: string[] = []) {
  mockApi({
    ...OF_A_SERVER,
    'GET /platform': { body: { dashboardIpAllowlist, version: '1.0.0' } },
  });
  await show(<ServerView server={server} />);
}

async function page(items: Server[]) {
  const api = mockApi({ ...OF_A_SERVER, 'GET /servers': { body: { items, nextCursor: null } } });
  return { api, ...(await show(<MyServerPage />)) };
}

describe('ServerView', () => {
  it('asks for the SSH login of a server that is not installed', async () => {
    await view(aServer({ status: 'NOT_INSTALLED' }), ['203.0.113.7', '2001:db8::/32']);
    expect(await screen.findByRole('heading', { name: 'Connect your server' })).toBeInTheDocument();
    expect(screen.getAllByText('Not installed').length).toBeGreaterThan(0);
    expect(await screen.findByText('203.0.113.7, 2001:db8::/32')).toBeInTheDocument();
    expect(screen.getByRole('button', { name: 'Copy dashboard IP allowlist' })).toBeInTheDocument();
    expect(screen.getByLabelText('Host')).toHaveValue('');
    expect(screen.getByLabelText('Port')).toHaveValue('22');
    expect(screen.getByLabelText('User')).toHaveValue('root');
  });

  it('leaves the allowlist panel out while the list is empty', async () => {
    await view(aServer({ status: 'NOT_INSTALLED' }));
    await screen.findByDisplayValue('http://10.0.0.1:800');
    expect(screen.queryByText('Dashboard IP allowlist')).not.toBeInTheDocument();
  });

  it('has no Connect card once a gateway has reported', async () => {
    await view(aServer({ status: 'OFFLINE' }));
    expect(await screen.findByRole('button', { name: 'Connect the server' })).toBeInTheDocument();
    expect(screen.queryByRole('heading', { name: 'Connect your server' })).not.toBeInTheDocument();
    expect(screen.getByText('Offline')).toBeInTheDocument();
  });

  it('says that a gateway whose key was retired is stopped, and not that it may be serving', async () => {
    await view(aServer({ status: 'KEY_RETIRED', reinstallNeeded: true }));
    expect(screen.getByText('Stopped: key retired')).toBeInTheDocument();
    expect(await screen.findByText('The gateway has to get its new license key')).toBeInTheDocument();
    expect(screen.queryByText(/may still be serving/)).not.toBeInTheDocument();
  });

  it('does not call a server online while the dashboard does not answer', async () => {
    const { client, api } = await page([aServer()]);
    expect(await screen.findByText('Online')).toBeInTheDocument();
    api.handlers['GET /servers'] = { status: 503 };
    await client.refetchQueries({ queryKey: ['servers', 'list'] });
    expect(await screen.findByText(/^Online at \d\d:\d\d UTC, now unknown$/)).toBeInTheDocument();
    expect(screen.getByText(/^What you see is from \d\d:\d\d UTC and may be out of date$/)).toBeInTheDocument();
    expect(screen.queryByText('Online')).not.toBeInTheDocument();
    expect(screen.queryByText(/is running/)).not.toBeInTheDocument();
    api.handlers['GET /servers'] = { body: { items: [aServer()], nextCursor: null } };
    await client.refetchQueries({ queryKey: ['servers', 'list'] });
    expect(await screen.findByText('Online')).toBeInTheDocument();
  });

  it('shows markup from the server as text', async () => {
    await view(aServer({ name: '<img src=x onerror=alert(1)>' }));
    expect(screen.getByRole('heading', { name: '<img src=x onerror=alert(1)>' })).toBeInTheDocument();
    expect(document.querySelector('img')).toBeNull();
  });
});
