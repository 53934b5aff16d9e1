import { ActionIcon, Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { useRef, useState } from 'react';
import { Icon } from '@/components/Icon';
import { addEntries, type AllowlistEntry } from '@/lib/allowlist';
import classes from './settings.module.css';

interface AllowlistInputProps {
  label: string;
  placeholder: string;
  /** The accessible name of the chips. */
  listLabel: string;
  /** What an empty list means. */
  empty: string;
  entries: AllowlistEntry[];
  onChange: (entries: AllowlistEntry[]) => void;
}

/** Addresses as chips. What cannot be right stays, marked and explained, until it is corrected or removed. */
export function AllowlistInput({ label, placeholder, listLabel, empty, entries, onChange }: AllowlistInputProps) {
  const [text, setText] = useState('');
  const field = useRef<HTMLInputElement>(null);
  const wrong = entries.filter((entry) => entry.problem !== null);

  const add = (typed: string): void => {
    if (typed.trim() === '') return;
    onChange(addEntries(entries, typed));
    setText('');
  };
  const remove = (entry: AllowlistEntry): void => {
    onChange(entries.filter((other) => other !== entry));
    field.current?.focus();
  };

  return (
    <Stack gap="sm">
      <Group gap="xs" align="flex-end" wrap="nowrap">
        <TextInput
          ref={field}
          label={label}
          placeholder={placeholder}
          style={{ flex: '1 1 220px' }}
          classNames={{ input: 'mono' }}
          spellCheck={false}
          autoComplete="off"
          value={text}
          onChange={(event) => {
            const next = event.currentTarget.value;
            if (/[\s,;]$/.test(next)) add(next);
            else setText(next);
          }}
          onPaste={(event) => {
            const pasted = event.clipboardData.getData('text');
            if (!/[\s,;]/.test(pasted.trim())) return;
            event.preventDefault();
            add(`${text} ${pasted}`);
          }}
          onBlur={() => {
            add(text);
          }}
          onKeyDown={(event) => {
            if (event.key !== 'Enter') return;
            event.preventDefault();
            add(text);
          }}
        />
        <Button
          variant="default"
          size="sm"
          onClick={() => {
            add(text);
          }}
        >
          Add
        </Button>
      </Group>
      {entries.length === 0 ? (
        <Text size="sm" c="dimmed">
          {empty}
        </Text>
      ) : (
        <ul className={classes.chips} aria-label={listLabel}>
          {entries.map((entry) => (
            <li key={entry.text} className={classes.chip} data-invalid={entry.problem !== null}>
              {entry.problem !== null && <Icon name="warning" size={13} />}
              <span className="mono">{entry.text}</span>
              <ActionIcon
                variant="transparent"
                color="gray"
                size={18}
                aria-label={`Remove ${entry.text}`}
                onClick={() => {
                  remove(entry);
                }}
              >
                <Icon name="close" size={12} />
              </ActionIcon>
            </li>
          ))}
        </ul>
      )}
      {wrong.length > 0 && (
        <div role="alert">
          <ul className={classes.problems}>
            {wrong.map((entry) => (
              <li key={entry.text}>
                <span className="mono">{entry.text}</span> {entry.problem}. Remove or correct it before saving.
              </li>
            ))}
          </ul>
        </div>
      )}
    </Stack>
  );
}
