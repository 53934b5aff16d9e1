import { createMemoryHistory } from '@tanstack/react-router';
import { render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { mockApi, problem } from '@/test/api';
import { App } from './App';
import { createQueryClient } from './queryClient';
import { createAppRouter } from './router';

const ADMIN = { id: '1', username: 'admin', displayName: 'Marta', role: 'ADMIN', loginSlug: null };
const QUIET = {
  'GET /keys': { body: { masterKeys: [], signingKeys: [], gateways: 0, following: 0, dashboards: [], problems: [] } },
  'GET /audit/integrity': {
    body: { state: 'CURRENT', sentence: '', head: { id: 1, hash: 'ab' }, anchored: null, anchorDurable: true, anchorProblem: null, publicKey: null },
  },
  'GET /audit/actions': { body: { items: [] } },
  'GET /audit': { body: { items: [], nextCursor: null, searchedTo: null } },
};
const OUT = problem({ status: 503, code: 'unavailable', detail: 'The database does not answer.' });

function open(path: string) {
  const client = createQueryClient();
  const router = createAppRouter(client);
  router.update({ ...router.options, history: createMemoryHistory({ initialEntries: [path] }) });
  render(<App router={router} queryClient={client} />);
  return { router, client, user: userEvent.setup() };
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a page that is opened while the dashboard is out', () => {
  it('comes by itself when the dashboard is back', async () => {
    const api = mockApi({ 'GET /me': OUT, ...QUIET });
    open('/admin/audit');
    expect(await screen.findByText('This page could not be loaded')).toBeInTheDocument();
    expect(screen.getByRole('button', { name: 'Retry' })).toBeInTheDocument();
    expect(screen.getByText('Proxima Gateway')).toBeInTheDocument();
    api.handlers['GET /me'] = { body: ADMIN };
    expect(await screen.findByRole('heading', { name: 'Audit Log' })).toBeInTheDocument();
    expect(screen.queryByText('This page could not be loaded')).not.toBeInTheDocument();
  }, 20_000);

  it('asks for what could not be loaded again, also where it asks only once otherwise', async () => {
    const api = mockApi({ 'GET /me': { body: ADMIN }, ...QUIET, 'GET /audit/actions': OUT });
    const { client } = open('/admin/audit');
    await screen.findByRole('heading', { name: 'Audit Log' });
    await waitFor(() => {
      expect(client.getQueryState(['audit', 'actions'])?.status).toBe('error');
    });
    api.handlers['GET /audit/actions'] = { body: { items: ['user.login'] } };
    await waitFor(() => {
      expect(client.getQueryState(['audit', 'actions'])?.status).toBe('success');
    });
  }, 20_000);
});

describe('the filter of the audit log', () => {
  it('asks for nothing while its times are the wrong way round', async () => {
    const api = mockApi({ 'GET /me': { body: ADMIN }, ...QUIET });
    open('/admin/audit?from=2025-11-22T10:00&to=2025-11-21T10:00');
    expect(await screen.findByText('“To” is before “From”.')).toBeInTheDocument();
    expect(screen.getByLabelText('To (UTC)')).toBeInvalid();
    expect(screen.getByRole('button', { name: 'Export' })).toBeDisabled();
    expect(api.sent('GET /audit')).toHaveLength(0);
  });
});

describe('the menu of a phone', () => {
  it('closes with Escape and gives the focus back', async () => {
    vi.spyOn(window, 'matchMedia').mockImplementation(
      (media) =>
        ({
          matches: media.includes('max-width: 47.99em'),
          media,
          addEventListener: () => undefined,
          removeEventListener: () => undefined,
        }) as unknown as MediaQueryList,
    );
    mockApi({ 'GET /me': { body: ADMIN }, ...QUIET });
    const { user } = open('/admin/audit');
    await user.click(await screen.findByRole('button', { name: 'Open navigation' }));
    expect(screen.getByRole('link', { name: 'Users' })).toBeVisible();
    await user.keyboard('{Escape}');
    expect(screen.getByRole('button', { name: 'Open navigation' })).toHaveFocus();
  });
});
