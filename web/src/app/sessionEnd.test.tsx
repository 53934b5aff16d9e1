import { createMemoryHistory } from '@tanstack/react-router';
import { render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, describe, expect, it } from 'vitest';
import { setSessionEndedListener } from '@/api/client';
import { mockApi, problem } from '@/test/api';
import { App } from './App';
import { createQueryClient } from './queryClient';
import { createAppRouter } from './router';
import { watchSessionEnd } from './sessionEnd';

const ADMIN = { id: '1', username: 'admin', displayName: 'Marta', role: 'ADMIN', loginSlug: null };
const CUSTOMER = { ...ADMIN, username: 'acme', displayName: null, role: 'CUSTOMER' };
const UNAUTHENTICATED = problem({ status: 401, code: 'unauthenticated' });
const FLEET = {
  counts: { total: 0, online: 0, offline: 0, grace: 0, expired: 0, stopped: 0, notInstalled: 0, installing: 0 },
  attention: [],
};

/** What pages ask for on the side, with nothing to tell. */
const QUIET = {
  'GET /auth/options': { body: { passkeys: false, rpId: null, passkeysReason: null } },
  'GET /keys': { body: { masterKeys: [], signingKeys: [], gateways: 0, following: 0, dashboards: [], problems: [] } },
  'GET /audit/integrity': { body: { state: 'CURRENT', sentence: '', anchorDurable: true, anchorProblem: null } },
};

function open(path: string) {
  const client = createQueryClient();
  const router = createAppRouter(client);
  router.update({ ...router.options, history: createMemoryHistory({ initialEntries: [path] }) });
  watchSessionEnd(router, client);
  render(<App router={router} queryClient={client} />);
  return { router, user: userEvent.setup() };
}

afterEach(() => {
  setSessionEndedListener(null);
});

describe('signing in and out', () => {
  it('returns to where one wanted to go', async () => {
    const api = mockApi({
      'GET /me': UNAUTHENTICATED,
      ...QUIET,
      'POST /auth/login': { body: ADMIN },
      'GET /settings/certificate': { body: { state: 'NOT_HERE', problems: [] } },
      'GET /settings': { body: { dashboardIpAllowlist: [], outboundAllowlist: [], offlineLimitDays: null, updatedAt: null } },
    });
    const { router, user } = open('/admin/settings');
    await user.type(await screen.findByLabelText('Username'), 'admin');
    expect(screen.queryByText(/session has ended/)).not.toBeInTheDocument();
    await user.type(screen.getByLabelText('Password'), 'x');
    api.handlers['GET /me'] = { body: ADMIN };
    await user.click(screen.getByRole('button', { name: 'Sign in' }));
    expect(await screen.findByRole('heading', { name: 'Settings' })).toBeInTheDocument();
    expect(router.state.location.pathname).toBe('/admin/settings');
  });

  it('says that the session has ended, and keeps the way back', async () => {
    const api = mockApi({ 'GET /me': { body: ADMIN }, 'GET /fleet': { body: FLEET }, ...QUIET });
    const { router, user } = open('/admin/fleet');
    await screen.findByText('Add your first customer');
    for (const key of ['GET /me', 'GET /users', 'GET /fleet']) api.handlers[key] = UNAUTHENTICATED;
    await user.click(screen.getByRole('link', { name: 'Users' }));
    expect(await screen.findByText(/Your session has ended/)).toBeInTheDocument();
    expect(router.state.location.search).toMatchObject({ redirect: '/admin/users' });
  });

  it('leads an admin without a second factor to its enrolment, and nowhere else', async () => {
    mockApi({ 'GET /me': { body: { ...ADMIN, mustEnroll: true } }, ...QUIET });
    const { router } = open('/admin/audit');
    expect(await screen.findByRole('heading', { name: 'Add a second factor' })).toBeInTheDocument();
    expect(router.state.location).toMatchObject({ pathname: '/enroll', search: { redirect: '/admin/audit' } });
  });

  it('leads somebody with a temporary password to the choice of their own, before anything else', async () => {
    const api = mockApi({ 'GET /me': { body: { ...ADMIN, mustChangePassword: true, mustEnroll: true } }, ...QUIET, 'POST /me/password': { status: 204 } });
    const { router, user } = open('/admin/audit');
    expect(await screen.findByRole('heading', { name: 'Choose your own password' })).toBeInTheDocument();
    expect(router.state.location).toMatchObject({ pathname: '/choose-password', search: { redirect: '/admin/audit' } });
    await router.navigate({ href: '/enroll' });
    expect(await screen.findByLabelText('Password you were given')).toBeInTheDocument();
    await user.type(screen.getByLabelText('Password you were given'), 'handed over');
    await user.type(screen.getByLabelText('New password'), 'a long enough one');
    api.handlers['GET /me'] = { body: { ...ADMIN, mustChangePassword: false, mustEnroll: true } };
    await user.click(screen.getByRole('button', { name: 'Set password and continue' }));
    expect(await screen.findByRole('heading', { name: 'Add a second factor' })).toBeInTheDocument();
    expect(api.sent('POST /me/password')[0]?.body).toEqual({ currentPassword: 'handed over', newPassword: 'a long enough one' });
  });

  it('leads there as well when an answer says so', async () => {
    const api = mockApi({ 'GET /me': { body: ADMIN }, 'GET /fleet': { body: FLEET }, ...QUIET });
    const { router, user } = open('/admin/fleet');
    await screen.findByText('Add your first customer');
    api.handlers['GET /me'] = { body: { ...ADMIN, mustEnroll: true } };
    for (const key of ['GET /users', 'GET /fleet']) api.handlers[key] = problem({ status: 403, code: 'enrollment_required' });
    await user.click(screen.getByRole('link', { name: 'Users' }));
    expect(await screen.findByRole('heading', { name: 'Add a second factor' })).toBeInTheDocument();
    expect(router.state.location.pathname).toBe('/enroll');
  });

  it('shows the same page for unknown addresses and those of the other role', async () => {
    mockApi({ 'GET /me': { body: CUSTOMER } });
    const { router } = open('/admin/users');
    expect(await screen.findByRole('heading', { name: 'Page not found' })).toBeInTheDocument();
    const here = document.body.textContent;
    await router.navigate({ href: '/nonsense' });
    await waitFor(() => {
      expect(router.state.location.pathname).toBe('/nonsense');
    });
    expect(document.body.textContent).toBe(here);
  });
});
