import {
  Alert, Badge, Button, Card, createTheme, Input, PasswordInput, Select, Table, Textarea, TextInput, Tooltip,
  NumberInput, type CSSVariablesResolver, type MantineColorsTuple,
} from '@mantine/core';

const accent: MantineColorsTuple = [
  '#eef3fb', '#dbe5f6', '#b9cdee', '#93b1e4', '#7096d9', '#527dce', '#3d63b8', '#34559e', '#2b4683', '#213667',
];

const dark: MantineColorsTuple = [
  '#dfe3e8', '#c3c9d1', '#9ea7b3', '#6b7480', '#343a42', '#2a2f36', '#20242a', '#181b20', '#121418', '#0d0f12',
];

export const theme = createTheme({
  colors: { accent, dark },
  primaryColor: 'accent',
  primaryShade: { light: 6, dark: 6 },
  fontFamily: '-apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace',
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.875rem', lg: '1rem', xl: '1.125rem' },
  defaultRadius: 'sm',
  radius: { xs: '3px', sm: '5px', md: '7px', lg: '10px', xl: '14px' },
  headings: {
    fontWeight: '600',
    sizes: { h1: { fontSize: '1.25rem' }, h2: { fontSize: '0.9375rem' }, h3: { fontSize: '0.875rem' } },
  },
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    Alert: Alert.extend({ defaultProps: { radius: 'sm' } }),
    Badge: Badge.extend({ defaultProps: { radius: 'sm', variant: 'default' } }),
    Button: Button.extend({ defaultProps: { size: 'xs' }, styles: { label: { fontWeight: 550 } } }),
    Card: Card.extend({ defaultProps: { withBorder: true, padding: 0, radius: 'md' } }),
    Input: Input.extend({ defaultProps: { size: 'sm' } }),
    InputWrapper: Input.Wrapper.extend({ defaultProps: { size: 'sm', inputWrapperOrder: ['label', 'input', 'error', 'description'] } }),
    NumberInput: NumberInput.extend({ defaultProps: { size: 'sm' } }),
    PasswordInput: PasswordInput.extend({ defaultProps: { size: 'sm' } }),
    Select: Select.extend({ defaultProps: { size: 'sm', allowDeselect: false, checkIconPosition: 'right' } }),
    Table: Table.extend({ defaultProps: { verticalSpacing: 8, horizontalSpacing: 'md' } }),
    Textarea: Textarea.extend({ defaultProps: { size: 'sm' } }),
    TextInput: TextInput.extend({ defaultProps: { size: 'sm' } }),
    Tooltip: Tooltip.extend({
      defaultProps: { withArrow: true, openDelay: 250, events: { hover: true, focus: true, touch: true }, fz: 'xs' },
    }),
  },
});

/** Contrast that the defaults do not reach, and the few colours that have a meaning here. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-text': '#1c2127',
    '--mantine-color-dimmed': '#596270',
    '--mantine-color-placeholder': '#6b7480',
    '--mantine-color-error': '#b42318',
    '--mantine-color-anchor': 'var(--mantine-color-accent-7)',
    '--mantine-color-default-border': '#d3d8df',
    '--px-canvas': '#f5f6f8',
    '--px-surface': '#ffffff',
    '--px-sunken': '#f5f6f8',
    '--px-line': '#e1e5ea',
    '--px-hover': '#f1f3f6',
    '--px-nav-active': '#e4eaf6',
    '--px-ok': '#157347',
    '--px-warn': '#9a6700',
    '--px-warn-bg': '#fff6dd',
    '--px-warn-line': '#e6c765',
    '--px-bad': '#b42318',
    '--px-bad-bg': '#fdecea',
    '--px-bad-line': '#eba49d',
    '--px-busy': '#34559e',
    '--px-idle': '#68717d',
  },
  dark: {
    '--mantine-color-body': '#181b20',
    '--mantine-color-text': '#dfe3e8',
    '--mantine-color-dimmed': '#9ea7b3',
    '--mantine-color-placeholder': '#87909c',
    '--mantine-color-error': '#f0857b',
    '--mantine-color-anchor': 'var(--mantine-color-accent-3)',
    '--mantine-color-default-border': '#3a414a',
    '--px-canvas': '#111317',
    '--px-surface': '#181b20',
    '--px-sunken': '#13161a',
    '--px-line': '#2a2f36',
    '--px-hover': '#1f2329',
    '--px-nav-active': '#232b3b',
    '--px-ok': '#4cc38a',
    '--px-warn': '#e2b03f',
    '--px-warn-bg': '#2b2412',
    '--px-warn-line': '#5c4a1a',
    '--px-bad': '#f0857b',
    '--px-bad-bg': '#2f1917',
    '--px-bad-line': '#6a302b',
    '--px-busy': '#93b1e4',
    '--px-idle': '#87909c',
  },
});
