import { useLocalStorage } from '@mantine/hooks';

/** Remembered in this browser. */
export function useColumnChoice() {
  const [hidden, setHidden] = useLocalStorage<string[]>({
    key: 'proxima.users.hidden-columns',
    defaultValue: ['created'],
    getInitialValueInEffect: false,
  });
  return { hidden: Array.isArray(hidden) ? hidden : [], setHidden };
}
