import { NumberInput, type NumberInputProps } from '@mantine/core';

/** A number as it is typed: a sign, a fraction or one too large stays, so that its error can be read beside it. */
export function NumberField(props: NumberInputProps) {
  return <NumberInput clampBehavior="none" {...props} />;
}
