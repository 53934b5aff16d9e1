import { Button, Checkbox, Popover, Stack } from '@mantine/core';
import { Icon } from './Icon';

interface ColumnChoiceProps {
  columns: { id: string; header: string }[];
  hidden: string[];
  onChange: (hidden: string[]) => void;
}

export function ColumnChoice({ columns, hidden, onChange }: ColumnChoiceProps) {
  return (
    <Popover position="bottom-end" shadow="md" trapFocus>
      <Popover.Target>
        <Button variant="default" size="sm" leftSection={<Icon name="columns" size={14} />}>
          Columns
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap={9} role="group" aria-label="Columns shown">
          {columns.map((column) => (
            <Checkbox
              key={column.id}
              size="xs"
              label={column.header}
              checked={!hidden.includes(column.id)}
              onChange={(event) => {
                onChange(
                  event.currentTarget.checked ? hidden.filter((id) => id !== column.id) : [...hidden, column.id],
                );
              }}
            />
          ))}
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
