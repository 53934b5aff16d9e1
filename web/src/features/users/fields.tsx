import { Button, Checkbox, Group, NativeSelect, TextInput } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { useState } from 'react';
import type { Role } from '@/api/types';
import { CopyButton } from '@/components/CopyButton';
import { SecretInput } from '@/components/SecretInput';
import { generatePassword } from '@/lib/password';
import { ROLE_OPTIONS } from '@/lib/words';
import type { Uncopied } from './uncopied';

export interface UserFormValues {
  username: string;
  password: string;
  temporaryPassword: boolean;
  displayName: string;
  loginSlug: string;
  role: Role;
  serverName: string;
}

interface FieldProps {
  form: UseFormReturnType<UserFormValues>;
  required?: boolean;
}

const plain = { autoComplete: 'off', autoCapitalize: 'none', spellCheck: false } as const;

export function UsernameField({ form, required }: FieldProps) {
  return (
    <TextInput
      label="Username"
      description="Lowercase and unique. The user signs in with it."
      aria-required={required}
      maxLength={64}
      {...plain}
      {...form.getInputProps('username')}
      onChange={(event) => {
        form.setFieldValue('username', event.currentTarget.value.toLowerCase().trimStart());
      }}
    />
  );
}

export function PasswordField({ form, required, help, uncopied }: FieldProps & { help: string; uncopied: Uncopied }) {
  const [visible, setVisible] = useState(false);
  return (
    <div>
      <SecretInput
        label="Password"
        description={help}
        aria-required={required}
        autoComplete="new-password"
        visible={visible}
        onVisibleChange={setVisible}
        onCopy={uncopied.onCopied}
        {...form.getInputProps('password')}
      />
      <Group gap="xs" mt={8}>
        <Button
          variant="default"
          onClick={() => {
            const password = generatePassword();
            form.setFieldValue('password', password);
            uncopied.onGenerated(password);
            form.clearFieldError('password');
            setVisible(true);
          }}
        >
          Generate password
        </Button>
        {form.values.password !== '' && <CopyButton value={form.values.password} label="Copy to clipboard" text="Copy" onCopied={uncopied.onCopied} />}
      </Group>
    </div>
  );
}

export function TemporaryPasswordField({ form }: FieldProps) {
  return (
    <Checkbox
      label="Must be replaced at the first sign-in"
      description="The password is then good for 7 days, and only for choosing another one."
      {...form.getInputProps('temporaryPassword', { type: 'checkbox' })}
    />
  );
}

export function DisplayNameField({ form }: FieldProps) {
  return (
    <TextInput
      label="Display name"
      description="Optional. Shown in the sidebar profile and on the personal login page."
      autoComplete="off"
      {...form.getInputProps('displayName')}
    />
  );
}

export function SlugField({ form }: FieldProps) {
  const slug = form.values.loginSlug;
  const link = `${window.location.origin}/login/${slug === '' ? '<slug>' : slug}`;
  return (
    <TextInput
      label="Login URL slug"
      description={
        <>
          Optional. Gives a personal login page: <span className="mono">{link}</span>
        </>
      }
      {...plain}
      {...form.getInputProps('loginSlug')}
      onChange={(event) => {
        form.setFieldValue('loginSlug', event.currentTarget.value.toLowerCase().trim());
      }}
    />
  );
}

export function RoleField({ form }: FieldProps) {
  return (
    <NativeSelect
      label="Role"
      description="Customer owns one server. Admin owns none and manages this dashboard."
      data={ROLE_OPTIONS}
      {...form.getInputProps('role')}
    />
  );
}

export function ServerNameField({ form, username }: FieldProps & { username: string }) {
  return (
    <TextInput
      label="Server name"
      description="Optional. If left blank, the name shown is used."
      placeholder={`${username === '' ? '<username>' : username}'s Server`}
      autoComplete="off"
      {...form.getInputProps('serverName')}
    />
  );
}
