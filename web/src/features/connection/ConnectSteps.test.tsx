import { screen, waitFor, within } from '@testing-library/react';
import { useQuery } from '@tanstack/react-query';
import { describe, expect, it } from 'vitest';
import { connectionQuery } from '@/api/connections';
import type { Connection } from '@/api/types';
import { mockApi, problem } from '@/test/api';
import { aConnection, aJob, aServer, aTest, FINGERPRINT, NO_CONNECTION, SERVER_ID } from '@/test/data';
import { show } from '@/test/render';
import { ConnectSteps } from './ConnectSteps';

const BASE = `/servers/${SERVER_ID}/connection`;
const UNCONFIRMED = aConnection({ credential: null, hostKey: null, hostKeyState: 'UNCONFIRMED' });
const LOGIN = aConnection({ credential: null });
const OTHER = 'SHA256:zzzzEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg';
const CHANGED = aConnection({
  hostKeyState: 'CHANGED',
  shownHostKey: { algorithm: 'ssh-ed25519', fingerprint: OTHER, shownAt: '2025-11-21T20:30:00Z' },
});

function Page() {
  const connection = useQuery(connectionQuery(SERVER_ID));
  return connection.data === undefined ? null : <ConnectSteps server={aServer()} connection={connection.data} installed={false} />;
}

async function page(first: Connection, more: Parameters<typeof mockApi>[0] = {}) {
  const api = mockApi({ [`GET ${BASE}`]: { body: first }, ...more });
  const shown = await show(<Page />);
  await waitFor(() => {
    expect(api.sent(`GET ${BASE}`)).not.toHaveLength(0);
  });
  return { api, ...shown };
}

const button = (name: string) => screen.getByRole('button', { name });
const host = () => screen.findByLabelText('Host');

describe('connecting for the first time', () => {
  it('sends nothing secret before the host key is confirmed', async () => {
    const { api, user } = await page(NO_CONNECTION, {
      [`PUT ${BASE}`]: { body: aConnection({ credential: null, hostKey: null, shownHostKey: null, hostKeyState: 'NONE' }) },
      [`POST ${BASE}/host-key`]: { body: { connection: UNCONFIRMED, problem: null } },
      [`POST ${BASE}/host-key/confirm`]: { body: LOGIN },
      [`POST ${BASE}/test`]: { body: aTest() },
      [`POST /servers/${SERVER_ID}/jobs`]: { status: 202, body: aJob({ state: 'QUEUED' }) },
    });
    await user.type(await host(), '203.0.113.7');
    await user.type(screen.getByLabelText('SSH password'), 'hunter2');
    await user.click(button('Test connection'));

    expect(await screen.findByText(FINGERPRINT)).toBeInTheDocument();
    expect(screen.getByText('ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub')).toBeInTheDocument();
    expect(JSON.stringify(api.calls)).not.toContain('hunter2');
    expect(screen.getByLabelText('SSH password')).toHaveValue('hunter2');

    api.handlers[`PUT ${BASE}`] = { body: aConnection() };
    api.handlers[`GET ${BASE}`] = { body: aConnection() };
    await user.click(button('This is my server'));
    expect(await screen.findByText('The connection works')).toBeInTheDocument();
    expect(api.sent(`POST ${BASE}/host-key/confirm`)[0]?.body).toEqual({ fingerprint: FINGERPRINT });
    expect(api.sent(`PUT ${BASE}`)[1]?.body).toEqual({ host: '203.0.113.7', port: 22, user: 'root', password: 'hunter2' });
    expect(screen.getByText('Debian GNU/Linux 12 (bookworm), x86_64')).toBeInTheDocument();
    expect(screen.queryByLabelText('SSH password')).not.toBeInTheDocument();

    await user.click(button('Install'));
    await waitFor(() => {
      expect(api.sent(`POST /servers/${SERVER_ID}/jobs`)[0]?.body).toEqual({ kind: 'INSTALL' });
    });
  });

  it('asks for the host key again after a reload, and for the login that was typed before', async () => {
    const { api, user } = await page(UNCONFIRMED, { [`POST ${BASE}/host-key/confirm`]: { body: LOGIN } });
    await user.click(await screen.findByRole('button', { name: 'This is my server' }));
    expect(await screen.findByText(/The host key is confirmed\. Enter the login/)).toBeInTheDocument();
    expect(api.sent(`POST ${BASE}/test`)).toHaveLength(0);
  });

  it('keeps what was typed and shows the server’s field errors at the fields', async () => {
    const { user } = await page(NO_CONNECTION, {
      [`PUT ${BASE}`]: problem({ status: 422, code: 'validation_failed', errors: [{ field: 'host', code: 'x', message: 'Write an IPv4 address.' }] }),
    });
    await user.type(await host(), '0x7f.1');
    await user.type(screen.getByLabelText('SSH password'), 'hunter2');
    await user.click(button('Test connection'));
    expect(await screen.findByText('Write an IPv4 address.')).toBeInTheDocument();
    expect(screen.getByLabelText('Host')).toHaveValue('0x7f.1');
    expect(screen.getByLabelText('SSH password')).toHaveValue('hunter2');
  });

  it('says why no host key was seen, and what to do', async () => {
    const { user } = await page(aConnection({ credential: null, hostKey: null, shownHostKey: null, hostKeyState: 'NONE' }), {
      [`POST ${BASE}/host-key`]: {
        body: {
          connection: aConnection({ credential: null, hostKey: null, shownHostKey: null, hostKeyState: 'NONE' }),
          problem: { code: 'NO_ANSWER', sentence: '203.0.113.7 did not answer.', remedy: 'Check the firewall.' },
        },
      },
    });
    await user.type(await screen.findByLabelText('SSH password'), 'x');
    await user.click(button('Test connection'));
    expect(await screen.findByText('203.0.113.7 did not answer.')).toBeInTheDocument();
    expect(screen.getByText('Check the firewall.')).toBeInTheDocument();
    expect(screen.queryByRole('button', { name: 'This is my server' })).not.toBeInTheDocument();
  });

  it('keeps a refused password in its field', async () => {
    const refused = { code: 'PASSWORD_REFUSED', sentence: 'The password was refused.', remedy: 'Check it.' };
    const { api, user } = await page(LOGIN, {
      [`PUT ${BASE}`]: { body: aConnection() },
      [`POST ${BASE}/test`]: { body: aTest({ facts: null, problem: refused }) },
    });
    await user.type(await screen.findByLabelText('SSH password'), 'hunter3');
    await user.click(button('Test connection'));
    expect(await screen.findByText('The password was refused.')).toBeInTheDocument();
    expect(screen.getByLabelText('SSH password')).toHaveValue('hunter3');
    expect(screen.queryByRole('button', { name: 'Install' })).not.toBeInTheDocument();

    api.handlers[`POST ${BASE}/test`] = { body: aTest() };
    api.handlers[`GET ${BASE}`] = { body: aConnection() };
    await user.clear(screen.getByLabelText('SSH password'));
    await user.type(screen.getByLabelText('SSH password'), 'hunter2');
    await user.click(button('Test connection'));
    expect(await screen.findByText('The connection works')).toBeInTheDocument();
    expect(api.sent(`PUT ${BASE}`)[1]?.body).toMatchObject({ password: 'hunter2' });
  });

  it('takes a private key from a file and names the public one', async () => {
    const { user } = await page(NO_CONNECTION);
    await host();
    await user.click(screen.getByRole('radio', { name: 'Private key' }));
    const choose = screen.getByLabelText('Private key file');
    await user.upload(choose, new File(['ssh-ed25519 AAAA me'], 'id.pub'));
    expect(await screen.findByText(/This is the public key/)).toBeInTheDocument();
    await user.upload(choose, new File(['-----BEGIN OPENSSH PRIVATE KEY-----\nx\n'], 'id'));
    await waitFor(() => {
      expect(screen.queryByText(/This is the public key/)).not.toBeInTheDocument();
    });
    expect(screen.getByText('id')).toBeInTheDocument();
  });

  it('asks for a sudo password only where there is no root', async () => {
    const { user } = await page(NO_CONNECTION);
    await host();
    expect(screen.queryByLabelText('Sudo password')).not.toBeInTheDocument();
    await user.clear(screen.getByLabelText('User'));
    await user.type(screen.getByLabelText('User'), 'deploy');
    expect(screen.getByLabelText('Sudo password')).toBeInTheDocument();
  });
});

describe('a changed host key', () => {
  it('stops everything, shows both fingerprints and asks twice', async () => {
    const { api, user } = await page(CHANGED, {
      [`POST ${BASE}/host-key/confirm`]: { body: aConnection() },
      [`POST ${BASE}/test`]: { body: aTest() },
    });
    const alert = await screen.findByRole('alert');
    expect(alert).toHaveTextContent('The server’s host key has changed');
    expect(within(alert).getByText(FINGERPRINT)).toBeInTheDocument();
    expect(within(alert).getByText(OTHER)).toBeInTheDocument();
    expect(screen.queryByRole('button', { name: 'Install' })).not.toBeInTheDocument();

    await user.click(button('Trust the new key'));
    expect(api.sent(`POST ${BASE}/host-key/confirm`)).toHaveLength(0);
    api.handlers[`GET ${BASE}`] = { body: aConnection() };
    await user.click(within(await screen.findByRole('dialog')).getByRole('button', { name: 'This is my server' }));
    expect(await screen.findByText('The connection works')).toBeInTheDocument();
    expect(api.sent(`POST ${BASE}/host-key/confirm`)[0]?.body).toEqual({ fingerprint: OTHER });
  });

  it('that a test finds is told once, in its own panel', async () => {
    const found = { code: 'HOST_KEY_CHANGED', sentence: 'Another key.', remedy: 'Compare.' };
    const { api, user } = await page(aConnection(), {
      [`POST ${BASE}/test`]: { body: aTest({ connection: CHANGED, facts: null, problem: found }) },
    });
    await screen.findByRole('button', { name: 'Test connection' });
    api.handlers[`GET ${BASE}`] = { body: CHANGED };
    await user.click(button('Test connection'));
    expect(await screen.findByText('The server’s host key has changed')).toBeInTheDocument();
    expect(screen.getAllByRole('alert')).toHaveLength(1);
    expect(screen.queryByRole('button', { name: 'Install' })).not.toBeInTheDocument();
  });

  it('only looks at the key when the connection is tested', async () => {
    const { api, user } = await page(CHANGED, { [`POST ${BASE}/host-key`]: { body: { connection: CHANGED, problem: null } } });
    await user.type(await screen.findByLabelText('SSH password'), 'hunter2');
    await user.click(button('Test connection'));
    await waitFor(() => {
      expect(api.sent(`POST ${BASE}/host-key`)).toHaveLength(1);
    });
    expect(api.sent(`PUT ${BASE}`)).toHaveLength(0);
    expect(api.sent(`POST ${BASE}/test`)).toHaveLength(0);
  });
});

describe('what is stored', () => {
  it('is told, and never asked for again', async () => {
    await page(aConnection({ credential: { kind: 'ACCESS_KEY', storedAt: '2025-11-21T20:00:00Z' } }));
    expect(await screen.findByText('root@203.0.113.7')).toBeInTheDocument();
    expect(screen.getByText('An access key made by this dashboard, since 21 Nov 2025, 20:00 UTC')).toBeInTheDocument();
    expect(screen.queryByLabelText('SSH password')).not.toBeInTheDocument();
  });

  it('is forgotten for another host, so the password is asked for', async () => {
    const { api, user } = await page(aConnection());
    await user.click(await screen.findByRole('button', { name: 'Change login' }));
    await user.clear(screen.getByLabelText('Host'));
    await user.type(screen.getByLabelText('Host'), '203.0.113.8');
    await user.click(button('Test connection'));
    expect(await screen.findByText('Enter the password of this user.')).toBeInTheDocument();
    expect(api.sent(`PUT ${BASE}`)).toHaveLength(0);
    await user.click(button('Discard changes'));
    expect(screen.getByText('root@203.0.113.7')).toBeInTheDocument();
  });
});
