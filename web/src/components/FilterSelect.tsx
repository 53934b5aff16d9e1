import { NativeSelect } from '@mantine/core';

interface FilterSelectProps<T extends string> {
  label: string;
  /** The choice that filters nothing. */
  any: string;
  options: readonly { value: T; label: string }[];
  value: T | undefined;
  onChange: (value: T | undefined) => void;
}

export function FilterSelect<T extends string>({ label, any, options, value, onChange }: FilterSelectProps<T>) {
  return (
    <NativeSelect
      aria-label={label}
      size="sm"
      value={value ?? ''}
      data={[{ value: '', label: any }, ...options]}
      onChange={(event) => {
        const chosen = event.currentTarget.value;
        onChange(options.find((option) => option.value === chosen)?.value);
      }}
    />
  );
}
