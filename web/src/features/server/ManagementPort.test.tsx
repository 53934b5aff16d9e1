import { screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { ManagementPort as Port, ServerStatus } from '@/api/types';
import { mockApi, problem, type Reply } from '@/test/api';
import { aServer, SERVER_ID } from '@/test/data';
import { show } from '@/test/render';
import { ManagementPort } from './ManagementPort';

const CHECK = `POST /servers/${SERVER_ID}/management/check`;
const ANSWERS: Port = {
  checkedAt: '2025-11-21T20:30:00Z',
  reachable: true,
  answeredAt: '2025-11-21T20:30:00Z',
  problem: null,
};

function silent(code: string, parts: Partial<Port> = {}): Port {
  const sentence = 'The server does not answer on port 6060 within 5 seconds.';
  return { ...ANSWERS, reachable: false, answeredAt: null, problem: { code, sentence, remedy: 'Do this.' }, ...parts };
}

interface Around {
  allowlist?: string[];
  check?: Reply;
  status?: ServerStatus;
}

async function line(management: Port | null, { allowlist = ['198.51.100.7'], check = {}, status = 'ONLINE' }: Around = {}) {
  const api = mockApi({
    'GET /platform': { body: { dashboardIpAllowlist: allowlist, version: '1.0.0' } },
    [CHECK]: check,
  });
  return { api, ...(await show(<ManagementPort server={aServer({ management, status })} />)) };
}

describe('ManagementPort', () => {
  it('says that it answers, and when that was seen', async () => {
    await line(ANSWERS);
    expect(screen.getByRole('status')).toHaveTextContent(/^Management port:answerschecked .+ ago$/);
    expect(screen.queryByText(/next heartbeat/)).not.toBeInTheDocument();
  });

  it('says that nobody has looked yet', async () => {
    await line(null);
    expect(screen.getByRole('status')).toHaveTextContent('Management port:not checked yet');
  });

  it('names the addresses to let in while the port is closed, and that all works without', async () => {
    await line(silent('NO_ANSWER', { answeredAt: '2025-11-20T20:30:00Z' }));
    expect(await screen.findByText('198.51.100.7')).toBeInTheDocument();
    const said = screen.getByText(/does not answer on port 6060/);
    expect(said).toHaveTextContent('Changes arrive with the next heartbeat.');
    expect(said).toHaveTextContent('To have them at once, allow TCP 6060 from 198.51.100.7.');
    expect(said).toHaveTextContent(/It last answered .+ ago/);
    expect(said).not.toHaveTextContent('Do this.');
    expect(screen.getByRole('status')).toHaveTextContent('does not answer');
  });

  it('names no address when the operator names none', async () => {
    await line(silent('CONNECTION_REFUSED'), { allowlist: [] });
    expect(await screen.findByText(/allow TCP 6060 from this dashboard\. A gateway that was stopped then refuses too/)).toBeInTheDocument();
  });

  it('blames no firewall while the license keeps the gateway stopped', async () => {
    await line(silent('CONNECTION_REFUSED'), { status: 'STOPPED_BY_LICENSE' });
    expect(screen.getByText(/stopped by its license/)).toBeInTheDocument();
    expect(screen.queryByText(/allow TCP 6060/)).not.toBeInTheDocument();
  });

  it.each(['NOT_ON_ALLOW_LIST', 'OTHER_CERTIFICATE', 'SECRET_REFUSED'])('gives the remedy of %s, which no firewall is', async (code) => {
    await line(silent(code));
    const said = screen.getByText(/does not answer on port 6060/);
    expect(screen.getByRole('status')).toHaveTextContent('cannot be used');
    expect(said).toHaveTextContent('with the next heartbeat. Do this.');
    expect(said).not.toHaveTextContent('allow TCP 6060');
  });

  it('checks when asked to, and shows what the gateway says', async () => {
    const status = { phase: 'serving', openPorts: [80, 443], closedPorts: ['8080: taken'], silence: 'no answer' };
    const { api, user } = await line(null, { check: { body: { management: ANSWERS, status } } });
    await user.click(screen.getByRole('button', { name: 'Check' }));
    expect(await screen.findByText(/The gateway says: serving, open ports: 80, 443\./)).toHaveTextContent(
      'Not open: 8080: taken. Its last heartbeat brought no verdict: no answer.',
    );
    expect(api.sent(CHECK)).toHaveLength(1);
  });

  it('says why it was not checked', async () => {
    const detail = 'A test of this server runs: wait for its end.';
    const { user } = await line(ANSWERS, { check: problem({ status: 409, code: 'test_running', detail }) });
    await user.click(screen.getByRole('button', { name: 'Check' }));
    expect(await screen.findByRole('alert')).toHaveTextContent(detail);
  });
});
