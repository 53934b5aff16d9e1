import { Group, NativeSelect, NumberInput } from '@mantine/core';
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
      <NumberInput
        label={label}
        value={amount}
        onChange={onAmount}
        min={0}
        decimalScale={2}
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
