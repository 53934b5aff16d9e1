import { TextInput, type TextInputProps } from '@mantine/core';

/** The six digits of an authenticator app; browsers and phones may fill them in. */
export function CodeInput(props: TextInputProps) {
  return (
    <TextInput
      label="Code from your authenticator app"
      inputMode="numeric"
      autoComplete="one-time-code"
      pattern="[0-9 ]*"
      maxLength={9}
      placeholder="123 456"
      spellCheck={false}
      classNames={{ input: 'mono' }}
      {...props}
    />
  );
}
