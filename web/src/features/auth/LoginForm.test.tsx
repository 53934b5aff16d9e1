import { screen } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';
import { mockApi, problem, type Reply } from '@/test/api';
import { show } from '@/test/render';
import { LoginForm } from './LoginForm';

const ME = { id: '1', username: 'acme', displayName: null, role: 'CUSTOMER', loginSlug: null };

async function form(slug: string | null, answer: Reply) {
  const api = mockApi({
    'POST /auth/login': answer,
    'GET /auth/options': { body: { passkeys: false, rpId: null, passkeysReason: 'There is no public URL.' } },
  });
  const signedIn = vi.fn();
  const secondFactor = vi.fn();
  const { user } = await show(<LoginForm slug={slug} onSignedIn={signedIn} onSecondFactor={secondFactor} />);
  return { api, user, signedIn, secondFactor };
}

const signIn = () => screen.getByRole('button', { name: 'Sign in' });

describe('LoginForm', () => {
  it('signs in by username', async () => {
    const { api, user, signedIn } = await form(null, { body: ME });
    await user.type(screen.getByLabelText('Username'), 'Acme');
    await user.type(screen.getByLabelText('Password'), ' pass word ');
    await user.click(signIn());
    await vi.waitFor(() => {
      expect(signedIn).toHaveBeenCalled();
    });
    expect(api.sent('POST /auth/login')[0]?.body).toEqual({ username: 'acme', password: ' pass word ' });
  });

  it('needs only the password on a personal page', async () => {
    const { api, user } = await form('acme', { body: ME });
    expect(screen.queryByLabelText('Username')).not.toBeInTheDocument();
    await user.type(screen.getByLabelText('Password'), 'secret');
    await user.click(signIn());
    await vi.waitFor(() => {
      expect(api.sent('POST /auth/login')[0]?.body).toEqual({ slug: 'acme', password: 'secret' });
    });
  });

  it('keeps what was typed after wrong credentials', async () => {
    const { user } = await form(null, problem({ status: 401, code: 'invalid_credentials' }));
    await user.type(screen.getByLabelText('Username'), 'acme');
    await user.type(screen.getByLabelText('Password'), 'wrong');
    await user.click(signIn());
    expect(await screen.findByRole('alert')).toHaveTextContent('Wrong username or password.');
    expect(screen.getByLabelText('Username')).toHaveValue('acme');
    expect(screen.getByLabelText('Password')).toHaveValue('wrong');
  });

  it('does not blame the password for an outage', async () => {
    const { user } = await form(null, problem({ status: 503, code: 'unavailable' }));
    await user.type(screen.getByLabelText('Username'), 'acme');
    await user.type(screen.getByLabelText('Password'), 'right');
    await user.click(signIn());
    expect(await screen.findByRole('alert')).toHaveTextContent('not available');
  });

  it('goes on to the second factor', async () => {
    const needed = { methods: ['TOTP', 'RECOVERY_CODE'], expiresAt: '2025-11-21T20:30:00Z' };
    const { user, signedIn, secondFactor } = await form(null, { status: 202, body: needed });
    await user.type(screen.getByLabelText('Username'), 'acme');
    await user.type(screen.getByLabelText('Password'), 'right');
    await user.click(signIn());
    await vi.waitFor(() => {
      expect(secondFactor).toHaveBeenCalledWith(needed);
    });
    expect(signedIn).not.toHaveBeenCalled();
  });

  it('counts down when there were too many tries, and keeps what was typed', async () => {
    const { user } = await form(null, { status: 429, body: { code: 'too_many_attempts', retryAfterSeconds: 90 } });
    await user.type(screen.getByLabelText('Username'), 'acme');
    await user.type(screen.getByLabelText('Password'), 'wrong');
    await user.click(signIn());
    expect(await screen.findByRole('timer')).toHaveTextContent(/^1:(30|2\d)$/);
    expect(signIn()).toBeDisabled();
    expect(screen.getByLabelText('Password')).toHaveValue('wrong');
  });

  it('asks for both fields', async () => {
    const { api, user } = await form(null, {});
    await user.click(signIn());
    expect(screen.getByText('Enter your username.')).toBeInTheDocument();
    expect(screen.getByText('Enter your password.')).toBeInTheDocument();
    expect(api.sent('POST /auth/login')).toHaveLength(0);
  });
});
