import { Group, NativeSelect } from '@mantine/core';
import { NumberField } from '@/components/NumberField';
import type { LengthUnit } from './length';

interface LengthFieldsProps {
  label: string;
  units: readonly LengthUnit[];
  amount: number | string;
  unit: LengthUnit;
  problem: string | null;
  onAmount: (amount: number | string) => void;
  onUnit: (unit: LengthUnit) => void;
}

/** A length of time: a number and its unit. */
export function LengthFields({ label, units, amount, unit, problem, onAmount, onUnit }: LengthFieldsProps) {
  return (
    <Group gap="xs" align="flex-start" wrap="nowrap">
      <NumberField
        label={label}
        value={amount}
        onChange={onAmount}
        min={0}
        hideControls
        error={problem}
        style={{ flex: 1 }}
        data-autofocus
      />
      <NativeSelect
        label="Unit"
        data={[...units]}
        value={unit}
        onChange={(event) => {
          onUnit(event.currentTarget.value as LengthUnit);
        }}
      />
    </Group>
  );
}
