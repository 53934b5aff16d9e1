import { SegmentedControl, useMantineColorScheme, type MantineColorScheme } from '@mantine/core';
import { Icon, type IconName } from '@/components/Icon';

const CHOICES: { value: MantineColorScheme; label: string; icon: IconName }[] = [
  { value: 'light', label: 'Light', icon: 'sun' },
  { value: 'dark', label: 'Dark', icon: 'moon' },
  { value: 'auto', label: 'Auto', icon: 'monitor' },
];

/** The theme belongs to this browser, not to the account. */
export function ThemeSwitch({ compact = false }: { compact?: boolean }) {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <SegmentedControl
      size="xs"
      fullWidth={compact}
      aria-label="Theme"
      value={colorScheme}
      onChange={(value) => {
        setColorScheme(value);
      }}
      data={CHOICES.map(({ value, label, icon }) => ({
        value,
        label: (
          <span style={{ display: 'flex', gap: 6, alignItems: 'center', justifyContent: 'center', minHeight: 18 }}>
            <Icon name={icon} size={14} />
            <span className={compact ? 'visually-hidden' : undefined}>{label}</span>
          </span>
        ),
      }))}
    />
  );
}
