import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';
import type { Connection, JobDetails } from '@/api/types';
import { mockApi, problem, type Call } from '@/test/api';
import { aConnection, aJob, aServer, aStep, JOB_ID, SERVER_ID } from '@/test/data';
import { show } from '@/test/render';
import { JobCard } from './JobCard';

const JOBS = `/servers/${SERVER_ID}/jobs`;
const ONE = `${JOBS}/${JOB_ID}`;
const CONNECTION = `/servers/${SERVER_ID}/connection`;

const line = (id: number, step: number, text: string) => ({ id, step, time: '2025-11-21T20:30:02Z', line: text });
const CONNECT = aStep({ state: 'DONE', startedAt: '2025-11-21T20:30:01Z', finishedAt: '2025-11-21T20:30:02Z' });
const UPLOAD = aStep({ id: 'UPLOAD', title: 'Upload the gateway', will: 'Send it.', undo: 'Delete the uploaded file.' });

const FAILED = aJob({
  state: 'FAILED',
  finishedAt: '2025-11-21T20:30:14Z',
  problem: { code: 'PORT_TAKEN', sentence: 'Port 80 is taken by nginx.', remedy: 'Stop that service, then try again.' },
  steps: [CONNECT, { ...UPLOAD, state: 'UNDONE' }, aStep({ id: 'REACH', title: 'Check ports', state: 'FAILED' })],
  log: [line(1, 2, 'port 80: nginx (pid 812)')],
  logCursor: 1,
});

interface Given {
  job: JobDetails | ((call: Call) => JobDetails);
  connection?: Connection;
  more?: Parameters<typeof mockApi>[0];
  retryRefused?: string;
}

async function card({ job, connection = aConnection(), more = {}, retryRefused }: Given) {
  const answer = (call: Call) => ({ body: typeof job === 'function' ? job(call) : call.query.get('after') === null ? job : { ...job, log: [] } });
  const api = mockApi({
    [`GET ${ONE}`]: answer,
    [`GET ${CONNECTION}`]: { body: connection },
    [`GET ${JOBS}`]: { body: { items: [], nextCursor: null } },
    ...more,
  });
  const putAway = vi.fn();
  const listed = aJob({ kind: typeof job === 'function' ? 'INSTALL' : job.kind, state: typeof job === 'function' ? 'RUNNING' : job.state });
  const shown = await show(<JobCard server={aServer()} job={listed} retryRefused={retryRefused} onPutAway={putAway} />);
  await screen.findByRole('list', { name: 'Steps' });
  return { api, putAway, ...shown };
}

const row = (title: string) => screen.getByText(title, { selector: 'li *' }).closest('li');

describe('a running job', () => {
  it('shows every step with its state in words, and its log on demand', async () => {
    const { user } = await card({
      job: aJob({
        steps: [CONNECT, { ...UPLOAD, state: 'RUNNING', startedAt: '2025-11-21T20:30:02Z' }, aStep({ id: 'START', title: 'Start', will: 'Start it now.' })],
        log: [line(1, 1, '1.2 MiB of 9 MiB')],
        logCursor: 1,
      }),
    });
    expect(screen.getByRole('heading', { name: 'Installing…' })).toBeInTheDocument();
    expect(row('Connect')).toHaveTextContent(/Open a connection.*Done.*1 s/);
    expect(row('Upload the gateway')).toHaveTextContent(/Send it\..*Running/);
    expect(row('Upload the gateway')).toHaveAttribute('aria-current', 'step');
    expect(row('Start')).toHaveTextContent(/Start it now\..*Waiting/);
    expect(screen.queryByText('1.2 MiB of 9 MiB')).not.toBeInTheDocument();
    await user.click(screen.getByRole('button', { name: 'Log of “Upload the gateway”, 1 line' }));
    expect(screen.getByRole('log')).toHaveTextContent('1.2 MiB of 9 MiB');
  });

  it('asks only for what is new, until it is finished', async () => {
    const answers = [
      aJob({ steps: [{ ...CONNECT, state: 'RUNNING', finishedAt: null }], log: [line(7, 0, 'one')], logCursor: 7 }),
      aJob({ state: 'SUCCEEDED', finishedAt: '2025-11-21T20:30:14Z', steps: [CONNECT], log: [line(9, 0, 'two')], logCursor: 9 }),
      aJob({ state: 'SUCCEEDED', finishedAt: '2025-11-21T20:30:14Z', steps: [CONNECT], log: [], logCursor: 9 }),
    ];
    const asked: (string | null)[] = [];
    const { user } = await card({
      job: (call) => {
        asked.push(call.query.get('after'));
        return answers[asked.length - 1] ?? aJob({ state: 'SUCCEEDED' });
      },
    });
    expect(await screen.findByText('Your gateway is online', {}, { timeout: 5_000 })).toBeInTheDocument();
    await user.click(screen.getByRole('button', { name: 'Show the steps' }));
    await user.click(screen.getByRole('button', { name: 'Log of “Connect”, 2 lines' }));
    expect(screen.getByRole('log')).toHaveTextContent('onetwo');
    await waitFor(() => {
      expect(asked).toEqual([null, '7', '9']);
    }, { timeout: 5_000 });
  });

  it('is cancelled only after what that means was read', async () => {
    const { api, user } = await card({
      job: aJob({ steps: [{ ...CONNECT, state: 'RUNNING' }] }),
      more: { [`POST ${ONE}/cancel`]: { body: aJob({ cancelRequested: true }) } },
    });
    await user.click(screen.getByRole('button', { name: 'Cancel' }));
    const dialog = await screen.findByRole('dialog');
    expect(dialog).toHaveTextContent('put back, in reverse order');
    expect(api.sent(`POST ${ONE}/cancel`)).toHaveLength(0);
    await user.click(within(dialog).getByRole('button', { name: 'Cancel install' }));
    await waitFor(() => {
      expect(api.sent(`POST ${ONE}/cancel`)).toHaveLength(1);
    });
  });
});

describe('a job that failed', () => {
  it('says why, what to do, and what was put back; its failed step is open', async () => {
    await card({ job: FAILED });
    const alert = screen.getByRole('alert');
    expect(alert).toHaveTextContent('Port 80 is taken by nginx.');
    expect(alert).toHaveTextContent('Stop that service, then try again.');
    expect(alert).toHaveTextContent('Put back as it was before:Upload the gateway');
    expect(row('Upload the gateway')).toHaveTextContent('Put back');
    expect(screen.getByRole('log')).toHaveTextContent('port 80: nginx (pid 812)');
    expect(screen.getByText('Took 14 s')).toBeInTheDocument();
  });

  it('says what could not be put back', async () => {
    await card({ job: { ...FAILED, remains: ['The user proxima-gateway is still there.'] } });
    expect(screen.getByRole('alert')).toHaveTextContent('Could not be put back:The user proxima-gateway is still there.');
  });

  it('is tried again with one click', async () => {
    const { api, user } = await card({ job: FAILED, more: { [`POST ${JOBS}`]: { status: 202, body: aJob({ id: 'other' }) } } });
    await user.click(await screen.findByRole('button', { name: 'Try again' }));
    await waitFor(() => {
      expect(api.sent(`POST ${JOBS}`)[0]?.body).toEqual({ kind: 'INSTALL' });
    });
  });

  it('that the server ran itself is tried again by another command, not from here', async () => {
    await card({ job: { ...FAILED, byCommand: true } });
    expect(screen.getByText(/make another install command/)).toBeInTheDocument();
    expect(screen.getByText(/by an install command/)).toBeInTheDocument();
    expect(screen.queryByRole('button', { name: 'Try again' })).not.toBeInTheDocument();
  });

  it('is not tried again while the host key is not trusted', async () => {
    const { api, user } = await card({ job: FAILED, retryRefused: 'The server’s host key has changed.' });
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(api.sent(`POST ${JOBS}`)).toHaveLength(0);
    expect(await screen.findByText('The server’s host key has changed.')).toBeInTheDocument();
  });

  it('asks for the login when none is stored, and keeps it when it is refused', async () => {
    const { api, user } = await card({
      job: FAILED,
      connection: aConnection({ credential: null, port: 2222 }),
      more: {
        [`PUT ${CONNECTION}`]: { body: aConnection() },
        [`POST ${JOBS}`]: problem({ status: 409, code: 'job_unfinished', detail: 'Another job is not finished.' }),
      },
    });
    await waitFor(() => {
      expect(api.sent(`GET ${CONNECTION}`)).not.toHaveLength(0);
    });
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    const dialog = await screen.findByRole('dialog');
    await user.click(within(dialog).getByRole('button', { name: 'Install' }));
    expect(await within(dialog).findByText('Enter the password of this user.')).toBeInTheDocument();
    expect(api.sent(`PUT ${CONNECTION}`)).toHaveLength(0);
    await user.type(within(dialog).getByLabelText('SSH password'), 'hunter2');
    await user.click(within(dialog).getByRole('button', { name: 'Install' }));
    expect(await within(dialog).findByText('Another job is not finished.')).toBeInTheDocument();
    expect(api.sent(`PUT ${CONNECTION}`)[0]?.body).toEqual({ host: '203.0.113.7', port: 2222, user: 'root', password: 'hunter2' });
  });

  it('can be put away', async () => {
    const { putAway, user } = await card({ job: FAILED });
    await user.click(screen.getByRole('button', { name: 'Dismiss this install' }));
    expect(putAway).toHaveBeenCalledOnce();
  });
});
