import { ActionIcon, TextInput } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { Icon } from './Icon';

interface SearchInputProps {
  label: string;
  placeholder: string;
  value: string | undefined;
  /** Called a moment after typing stops, or at once on Enter. */
  onChange: (value: string | undefined) => void;
  withIcon?: boolean;
  mono?: boolean;
}

const PAUSE_MS = 300;

export function SearchInput({ label, placeholder, value, onChange, withIcon = false, mono = false }: SearchInputProps) {
  const [text, setText] = useState(value ?? '');
  const [outside, setOutside] = useState(value);
  const timer = useRef<number | undefined>(undefined);

  // The address bar may change from elsewhere: Back, or a link that clears the filters.
  if (outside !== value) {
    setOutside(value);
    if ((value ?? '') !== text.trim()) setText(value ?? '');
  }

  useEffect(
    () => () => {
      window.clearTimeout(timer.current);
    },
    [],
  );

  const tell = (next: string, wait: number): void => {
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => {
      onChange(next.trim() === '' ? undefined : next.trim());
    }, wait);
  };

  const change = (next: string): void => {
    setText(next);
    tell(next, next === '' ? 0 : PAUSE_MS);
  };

  return (
    <TextInput
      aria-label={label}
      placeholder={placeholder}
      value={text}
      spellCheck={false}
      autoComplete="off"
      styles={mono ? { input: { fontFamily: 'var(--mantine-font-family-monospace)' } } : undefined}
      leftSection={withIcon ? <Icon name="search" size={15} /> : undefined}
      rightSection={
        text === '' ? null : (
          <ActionIcon
            variant="subtle"
            color="gray"
            size="sm"
            aria-label="Clear typed text"
            onClick={() => {
              change('');
            }}
          >
            <Icon name="close" size={13} />
          </ActionIcon>
        )
      }
      onChange={(event) => {
        change(event.currentTarget.value);
      }}
      onKeyDown={(event) => {
        if (event.key === 'Enter') tell(text, 0);
      }}
    />
  );
}
