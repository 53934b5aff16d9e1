import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { mockApi, problem, type Reply } from '@/test/api';
import { aConfig, SERVER_ID } from '@/test/data';
import { show } from '@/test/render';
import { ManageCard } from './ManageCard';

const PATH = `/servers/${SERVER_ID}/config`;

async function card(put: Reply, config = aConfig()) {
  const api = mockApi({ [`GET ${PATH}`]: { body: config }, [`PUT ${PATH}`]: put });
  const shown = await show(<ManageCard serverId={SERVER_ID} serverStatus="ONLINE" />);
  await screen.findByRole('button', { name: 'Save configuration' });
  return { api, ...shown };
}

const backend = () => screen.getByLabelText('Backend URL');
const save = () => screen.getByRole('button', { name: 'Save configuration' });

describe('ManageCard', () => {
  it('saves from the generation it was edited from', async () => {
    const saved = aConfig({ generation: 4, listeners: [{ port: 80, backendUrl: 'http://10.0.0.2' }], delivery: { state: 'PENDING', reason: null } });
    const { user, api } = await card({ body: saved });
    expect(save()).toBeDisabled();
    await user.clear(backend());
    await user.type(backend(), 'http://10.0.0.2');
    await user.click(save());
    expect(await screen.findByText('Pending')).toBeInTheDocument();
    expect(api.sent(`PUT ${PATH}`)[0]?.body).toEqual({ generation: 3, listeners: [{ port: 80, backendUrl: 'http://10.0.0.2' }] });
    expect(save()).toBeDisabled();
  });

  it('adds and removes rows', async () => {
    const { user, api } = await card({ body: aConfig({ generation: 4, listeners: [{ port: 8080, backendUrl: 'http://b' }] }) });
    await user.click(screen.getByRole('button', { name: 'Add port' }));
    const second = within(screen.getByRole('group', { name: 'Listener 2' }));
    await user.type(second.getByLabelText('Listen port'), '8080');
    await user.type(second.getByLabelText('Backend URL'), 'http://b');
    await user.click(screen.getByRole('button', { name: 'Remove port 1' }));
    await user.click(save());
    await waitFor(() => {
      expect(api.sent(`PUT ${PATH}`)[0]?.body).toMatchObject({ listeners: [{ port: 8080, backendUrl: 'http://b' }] });
    });
  });

  it('sends nothing that cannot be right', async () => {
    const { user, api } = await card({});
    await user.click(screen.getByRole('button', { name: 'Add port' }));
    await user.type(within(screen.getByRole('group', { name: 'Listener 2' })).getByLabelText('Listen port'), '80');
    await user.click(save());
    expect(await screen.findByText('This port is listed twice.')).toBeInTheDocument();
    expect(screen.getByText('Enter the URL of your backend.')).toBeInTheDocument();
    expect(api.sent(`PUT ${PATH}`)).toHaveLength(0);
  });

  it('puts the server’s errors at the row', async () => {
    const { user } = await card(
      problem({ status: 422, code: 'validation_failed', errors: [{ field: 'listeners[0].backendUrl', code: 'loop', message: 'That is this gateway itself.' }] }),
    );
    await user.type(backend(), '1');
    await user.click(save());
    expect(await screen.findByText('That is this gateway itself.')).toBeInTheDocument();
    expect(backend()).toHaveValue('http://10.0.0.1:8001');
  });

  it('shows why the gateway rejected it', async () => {
    await card({}, aConfig({ delivery: { state: 'REJECTED', reason: 'port 80 is in use' } }));
    expect(screen.getByText('Rejected')).toBeInTheDocument();
    expect(screen.getByText('Reason: port 80 is in use')).toBeInTheDocument();
  });
});

describe('a stale configuration', () => {
  const theirs = aConfig({ generation: 9, listeners: [{ port: 443, backendUrl: 'http://theirs' }] });

  async function stale() {
    const shown = await card(problem({ status: 409, code: 'stale' }));
    await shown.user.type(backend(), '5');
    shown.api.handlers[`GET ${PATH}`] = { body: theirs };
    await shown.user.click(save());
    await screen.findByText('443 → http://theirs');
    return shown;
  }

  it('keeps what was typed and can be saved on top of the new version', async () => {
    const { user, api } = await stale();
    expect(backend()).toHaveValue('http://10.0.0.1:8005');
    api.handlers[`PUT ${PATH}`] = { body: aConfig({ generation: 10 }) };
    await user.click(screen.getByRole('button', { name: 'Keep my changes' }));
    await user.click(save());
    await waitFor(() => {
      expect(api.sent(`PUT ${PATH}`)[1]?.body).toMatchObject({ generation: 9, listeners: [{ port: 80, backendUrl: 'http://10.0.0.1:8005' }] });
    });
  });

  it('can be given up for the saved version', async () => {
    const { user } = await stale();
    await user.click(screen.getByRole('button', { name: 'Load the saved version' }));
    expect(backend()).toHaveValue('http://theirs');
    expect(save()).toBeDisabled();
  });
});
