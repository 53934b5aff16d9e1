import { ActionIcon, TextInput, type TextInputProps } from '@mantine/core';
import { useState } from 'react';
import { Icon } from './Icon';

interface SecretInputProps extends Omit<TextInputProps, 'type' | 'rightSection'> {
  /** Shows the typed text; uncontrolled when left out. */
  visible?: boolean;
  onVisibleChange?: (visible: boolean) => void;
}

/** A password field whose eye can also be reached by keyboard. */
export function SecretInput({ visible, onVisibleChange, ...rest }: SecretInputProps) {
  const [own, setOwn] = useState(false);
  const shown = visible ?? own;
  return (
    <TextInput
      spellCheck={false}
      {...rest}
      type={shown ? 'text' : 'password'}
      classNames={{ input: shown ? 'mono' : undefined }}
      rightSection={
        <ActionIcon
          variant="subtle"
          color="gray"
          size="sm"
          aria-label={shown ? 'Hide typed characters' : 'Show typed characters'}
          aria-pressed={shown}
          onClick={() => {
            setOwn(!shown);
            onVisibleChange?.(!shown);
          }}
        >
          <Icon name={shown ? 'eyeOff' : 'eye'} size={15} />
        </ActionIcon>
      }
    />
  );
}
