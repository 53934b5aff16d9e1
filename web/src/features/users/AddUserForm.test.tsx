import { screen } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';
import { ApiError } from '@/api/problem';
import type { CreateUserRequest, FieldError } from '@/api/types';
import { show } from '@/test/render';
import { AddUserForm } from './AddUserForm';

function conflict(errors: FieldError[]): ApiError {
  return new ApiError(
    409,
    { type: 'urn:proxima:problem:conflict', title: 'Conflict', status: 409, detail: 'Taken.', code: 'conflict', requestId: 'r', errors },
    'Taken.',
  );
}

async function form(onSubmit: (body: CreateUserRequest) => Promise<void> = () => Promise.resolve()) {
  const submit = vi.fn(onSubmit);
  const { user } = await show(<AddUserForm onSubmit={submit} pending={false} />);
  return { user, submit };
}

const field = (label: string) => screen.getByLabelText(label);
const create = () => screen.getByRole('button', { name: 'Create User' });

describe('AddUserForm', () => {
  it('sends what was typed, lower-cased, with blank options as null', async () => {
    const { user, submit } = await form();
    await user.type(field('Username'), 'ACME');
    expect(field('Username')).toHaveValue('acme');
    await user.type(field('Password'), 'a long enough one');
    await user.click(create());
    expect(submit).toHaveBeenCalledWith({
      username: 'acme', password: 'a long enough one', temporaryPassword: true, displayName: null, loginSlug: null, role: 'CUSTOMER', serverName: null,
    });
  });

  it('leaves the password for good when that was chosen', async () => {
    const { user, submit } = await form();
    await user.type(field('Username'), 'acme');
    await user.type(field('Password'), 'a long enough one');
    await user.click(field('Must be replaced at the first sign-in'));
    await user.click(create());
    expect(submit.mock.calls[0]?.[0]).toMatchObject({ temporaryPassword: false });
  });

  it('proposes the default server name and hides the field for admins', async () => {
    const { user, submit } = await form();
    expect(field('Server name')).toHaveAttribute('placeholder', "<username>'s Server");
    await user.type(field('Username'), 'acme');
    expect(field('Server name')).toHaveAttribute('placeholder', "acme's Server");
    await user.type(field('Server name'), 'Edge');
    await user.selectOptions(field('Role'), 'ADMIN');
    expect(screen.queryByLabelText('Server name')).not.toBeInTheDocument();
    await user.type(field('Password'), 'a long enough one');
    await user.click(create());
    expect(submit.mock.calls[0]?.[0]).toMatchObject({ role: 'ADMIN', serverName: null });
  });

  it('validates when a field is left', async () => {
    const { user, submit } = await form();
    await user.type(field('Username'), 'a b');
    await user.tab();
    expect(screen.getByText(/2 to 32 lower-case letters/)).toBeInTheDocument();
    await user.click(create());
    expect(await screen.findByText('Enter a password.')).toBeInTheDocument();
    expect(submit).not.toHaveBeenCalled();
  });

  it('shows every refused field at its field and keeps what was typed', async () => {
    const { user } = await form(() =>
      Promise.reject(
        conflict([
          { field: 'username', code: 'taken', message: 'This username is taken.' },
          { field: 'loginSlug', code: 'taken', message: 'This slug is taken.' },
        ]),
      ),
    );
    await user.type(field('Username'), 'acme');
    await user.type(field('Password'), 'a long enough one');
    await user.type(field('Login URL slug'), 'acme');
    await user.click(create());
    expect(await screen.findByText('This username is taken.')).toBeInTheDocument();
    expect(screen.getByText('This slug is taken.')).toBeInTheDocument();
    expect(field('Username')).toBeInvalid();
    expect(field('Username')).toHaveValue('acme');
    expect(field('Password')).toHaveValue('a long enough one');
  });

  it('says above the form what belongs to no field', async () => {
    const { user } = await form(() => Promise.reject(new ApiError(503, null, 'Not available.')));
    await user.type(field('Username'), 'acme');
    await user.type(field('Password'), 'a long enough one');
    await user.click(create());
    expect(await screen.findByText('Not available.')).toBeInTheDocument();
    expect(field('Username')).toHaveValue('acme');
  });

  it('generates a password that can be read and copied', async () => {
    const { user } = await form();
    await user.click(screen.getByRole('button', { name: 'Generate password' }));
    expect(field('Password')).toHaveAttribute('type', 'text');
    expect((field('Password') as HTMLInputElement).value).toHaveLength(20);
    expect(screen.getByRole('button', { name: 'Copy to clipboard' })).toBeInTheDocument();
  });

  it('asks before a generated password is lost that was not copied', async () => {
    const { user, submit } = await form();
    await user.type(field('Username'), 'acme');
    await user.click(screen.getByRole('button', { name: 'Generate password' }));
    await user.click(create());
    expect(await screen.findByText('You have not copied the password')).toBeInTheDocument();
    expect(submit).not.toHaveBeenCalled();
    await user.click(screen.getByRole('button', { name: 'Go back' }));
    await user.click(create());
    await user.click(await screen.findByRole('button', { name: 'Create user' }));
    expect(submit).toHaveBeenCalledTimes(1);
  });

  it('asks nothing once it was copied', async () => {
    const { user, submit } = await form();
    await user.type(field('Username'), 'acme');
    await user.click(screen.getByRole('button', { name: 'Generate password' }));
    await user.click(screen.getByRole('button', { name: 'Copy to clipboard' }));
    await user.click(create());
    expect(submit).toHaveBeenCalledTimes(1);
    expect(screen.queryByText('You have not copied the password')).not.toBeInTheDocument();
  });
});
