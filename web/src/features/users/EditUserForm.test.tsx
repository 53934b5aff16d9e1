import { screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { User } from '@/api/types';
import { mockApi, type Reply } from '@/test/api';
import { aUser, USER_ID } from '@/test/data';
import { show } from '@/test/render';
import { EditUserForm } from './EditUserForm';

const PATCH = `PATCH /users/${USER_ID}`;

async function form(user: User, answer: Reply, own = false) {
  const api = mockApi({ [PATCH]: answer });
  const shown = await show(<EditUserForm user={user} own={own} />);
  return { api, ...shown };
}

const field = (label: string) => screen.getByLabelText(label);
const save = () => screen.getByRole('button', { name: 'Save account' });

describe('EditUserForm', () => {
  it('sends changed fields only', async () => {
    const { user, api } = await form(aUser(), { body: aUser({ displayName: 'Acme TV' }) });
    expect(save()).toBeDisabled();
    await user.type(field('Display name'), ' TV');
    await user.click(save());
    await waitFor(() => {
      expect(api.sent(PATCH)[0]?.body).toEqual({ displayName: 'Acme TV' });
    });
  });

  it.each([
    [false, { password: 'a long enough one', temporaryPassword: true }],
    [true, { password: 'a long enough one' }],
  ])('makes a new password temporary, but not one’s own (%s)', async (own, body) => {
    const { user, api } = await form(aUser(), { body: aUser() }, own);
    expect(screen.queryByLabelText('Must be replaced at the first sign-in')).not.toBeInTheDocument();
    await user.type(field('Password'), 'a long enough one');
    expect(screen.queryByLabelText('Must be replaced at the first sign-in') !== null).toBe(!own);
    await user.click(save());
    await waitFor(() => {
      expect(api.sent(PATCH)[0]?.body).toEqual(body);
    });
  });

  it('asks before a generated password is saved that was not copied', async () => {
    const { user, api } = await form(aUser(), { body: aUser() });
    await user.click(screen.getByRole('button', { name: 'Generate password' }));
    await user.click(save());
    expect(await screen.findByText('You have not copied the password')).toBeInTheDocument();
    expect(api.sent(PATCH)).toHaveLength(0);
    await user.click(screen.getByRole('button', { name: 'Copy the generated password' }));
    await user.click(screen.getByRole('button', { name: 'Go back' }));
    await user.click(save());
    await waitFor(() => {
      expect(api.sent(PATCH)).toHaveLength(1);
    });
  });

  it('clears an optional field with null', async () => {
    const { user, api } = await form(aUser(), { body: aUser({ displayName: null }) });
    await user.clear(field('Display name'));
    await user.click(save());
    await waitFor(() => {
      expect(api.sent(PATCH)[0]?.body).toEqual({ displayName: null });
    });
  });

  it('makes an admin only after the username was typed', async () => {
    const { user, api } = await form(aUser(), { body: aUser({ role: 'ADMIN', server: null }) });
    await user.selectOptions(field('Role'), 'ADMIN');
    await user.click(save());
    const confirm = await screen.findByRole('button', { name: 'Delete server and make admin' });
    expect(confirm).toBeDisabled();
    expect(api.sent(PATCH)).toHaveLength(0);
    await user.type(field('Type acme to confirm'), 'acme');
    await user.click(confirm);
    await waitFor(() => {
      expect(api.sent(PATCH)[0]?.body).toEqual({ role: 'ADMIN', confirmServerDeletion: 'acme' });
    });
  });

  it('asks for a server name when an admin becomes a customer', async () => {
    const admin = aUser({ role: 'ADMIN', server: null });
    const { user, api } = await form(admin, { body: aUser() });
    expect(screen.queryByLabelText('Server name')).not.toBeInTheDocument();
    await user.selectOptions(field('Role'), 'CUSTOMER');
    await user.type(field('Server name'), 'Edge');
    await user.click(save());
    await waitFor(() => {
      expect(api.sent(PATCH)[0]?.body).toEqual({ role: 'CUSTOMER', serverName: 'Edge' });
    });
  });
});
