import { Button, Stack, Text, Title } from '@mantine/core';
import { Link } from '@tanstack/react-router';

export function NotFoundPage() {
  return (
    <Stack align="center" gap={6} pt="14vh" px="md" ta="center">
      <title>Page not found · Proxima Gateway</title>
      <Text className="mono" c="dimmed" size="sm">
        404
      </Text>
      <Title order={1}>Page not found</Title>
      <Text c="dimmed" size="sm" maw={380}>
        There is nothing at this address, or it is not yours to see.
      </Text>
      <Button component={Link} to="/" mt="sm" variant="default">
        Go to the start page
      </Button>
    </Stack>
  );
}
