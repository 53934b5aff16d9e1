import { Container, Group, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useRouter, type ErrorComponentProps } from '@tanstack/react-router';
import { useEffect, useEffectEvent } from 'react';
import { isOutage, unreachable } from '@/api/problem';
import { meQuery } from '@/api/session';
import { ErrorState } from '@/components/States';
import { Brand } from './Brand';
import classes from './Shell.module.css';

const AGAIN_MS = 5_000;

/** The page's own code did not arrive; each browser says it in its own words. */
function isMissingCode(error: unknown): boolean {
  return error instanceof Error && /dynamically imported module|Importing a module script failed|Unable to preload CSS/.test(error.message);
}

/** In place of a page that could not even begin. While the dashboard is out it is asked again, and the page comes by itself. */
export function CrashPage({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  const client = useQueryClient();
  const missing = isMissingCode(error);
  const outage = missing || isOutage(error);
  const retry = (): void => {
    reset();
    void router.invalidate();
  };
  const look = useEffectEvent(async () => {
    // Asked here first, so that this page stays in sight until there is another answer.
    const still = await client.query({ ...meQuery, staleTime: 0 }).then(
      () => false,
      (problem: unknown) => isOutage(problem),
    );
    if (!still) retry();
  });
  useEffect(() => {
    if (!outage) return undefined;
    const timer = window.setInterval(() => void look(), AGAIN_MS);
    return () => {
      window.clearInterval(timer);
    };
  }, [outage]);

  return (
    <Container size="sm" py="xl">
      <title>Not available · Proxima Gateway</title>
      <Stack gap="md">
        <Group className={classes.brand}>
          <Brand />
        </Group>
        <ErrorState what="This page" error={missing ? unreachable() : error} onRetry={retry} />
        {outage && (
          <Text size="sm" c="dimmed" role="status">
            Trying again every few seconds; the page then appears by itself.
          </Text>
        )}
      </Stack>
    </Container>
  );
}
