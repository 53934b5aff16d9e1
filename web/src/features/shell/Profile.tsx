import { Button, Stack, Text } from '@mantine/core';
import type { Me } from '@/api/types';
import { Icon } from '@/components/Icon';
import { ThemeSwitch } from './ThemeSwitch';
import { useSignOut } from './useSignOut';

export function Profile({ me }: { me: Me }) {
  const signOut = useSignOut();
  const name = me.displayName ?? me.username;
  return (
    <Stack gap={10}>
      <div style={{ overflowWrap: 'anywhere', paddingInline: 10 }}>
        <Text size="sm" fw={600} lh={1.35}>
          {name}
        </Text>
        {name !== me.username && (
          <Text size="xs" c="dimmed" lh={1.35}>
            {me.username}
          </Text>
        )}
      </div>
      <ThemeSwitch compact />
      <Button
        variant="default"
        justify="flex-start"
        leftSection={<Icon name="signOut" size={15} />}
        onClick={signOut.run}
        loading={signOut.pending}
      >
        Sign out
      </Button>
    </Stack>
  );
}
