import { Input, SegmentedControl, Stack } from '@mantine/core';
import { SecretInput } from '@/components/SecretInput';
import type { ConnectFormApi, LoginMethod } from './form';
import { KeyInput } from './KeyInput';

const METHODS: { value: LoginMethod; label: string }[] = [
  { value: 'PASSWORD', label: 'Password' },
  { value: 'PRIVATE_KEY', label: 'Private key' },
];

interface LoginFieldsProps {
  form: ConnectFormApi;
  /** Root needs no sudo. */
  user: string;
  /** What is left empty stays as it is stored. */
  stored: boolean;
  sudoStored: boolean;
}

/** How to log in. What was typed for the other way stays until the form is sent. */
export function LoginFields({ form, user, stored, sudoStored }: LoginFieldsProps) {
  const { method } = form.values;
  return (
    <Stack gap="md">
      <Input.Wrapper label="Authentication" labelElement="div">
        <div>
          <SegmentedControl
            size="xs"
            aria-label="Authentication"
            data={METHODS}
            value={method}
            onChange={(value) => {
              form.setFieldValue('method', value);
            }}
          />
        </div>
      </Input.Wrapper>
      {method === 'PASSWORD' ? (
        <SecretInput
          label="SSH password"
          autoComplete="off"
          placeholder={stored ? 'Stored; type to replace it' : undefined}
          {...form.getInputProps('password')}
        />
      ) : (
        <>
          <KeyInput form={form} />
          <SecretInput label="Passphrase" description="Only if the key has one." autoComplete="off" {...form.getInputProps('passphrase')} />
        </>
      )}
      {user.trim() !== 'root' && (
        <SecretInput
          label="Sudo password"
          description={
            method === 'PASSWORD'
              ? 'Only if it differs from the SSH password.'
              : 'Leave it empty if sudo asks for none. Installing needs root privileges.'
          }
          placeholder={sudoStored ? 'Stored; type to replace it' : undefined}
          autoComplete="off"
          {...form.getInputProps('sudoPassword')}
        />
      )}
    </Stack>
  );
}
