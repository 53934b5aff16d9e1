import { Button, Skeleton, Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { ApiError, errorMessage } from '@/api/problem';
import { clockUtc } from '@/lib/time';
import { Icon } from './Icon';
import { Notice } from './Notice';

/** Says what to do first, never only that there is nothing. */
export function EmptyState({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <Stack align="center" gap={4} py={44} px="md" ta="center">
      <Text fw={600} size="sm">
        {title}
      </Text>
      {children !== undefined && (
        <Text size="sm" c="dimmed" maw={440}>
          {children}
        </Text>
      )}
      {action !== undefined && <div style={{ marginTop: 10 }}>{action}</div>}
    </Stack>
  );
}

interface ErrorStateProps {
  what: string;
  error: unknown;
  onRetry: () => void;
  retrying?: boolean;
}

export function ErrorState({ what, error, onRetry, retrying = false }: ErrorStateProps) {
  const requestId = error instanceof ApiError ? error.problem?.requestId : undefined;
  return (
    <Notice
      tone="bad"
      title={`${what} could not be loaded`}
      action={
        <Button variant="default" onClick={onRetry} loading={retrying} leftSection={<Icon name="refresh" size={14} />}>
          Retry
        </Button>
      }
    >
      {errorMessage(error)}
      {requestId !== undefined && requestId !== '' && (
        <>
          {' '}
          Request <span className="mono">{requestId}</span>
        </>
      )}
    </Notice>
  );
}

interface OutOfDateProps {
  query: { isError: boolean; error: unknown; data: unknown; dataUpdatedAt: number };
}

/** For pages that refresh themselves: what is shown is the last that was heard. */
export function OutOfDate({ query }: OutOfDateProps) {
  if (!query.isError || query.data === undefined) return null;
  return (
    <Notice tone="warn" title={`What you see is from ${clockUtc(query.dataUpdatedAt)} and may be out of date`}>
      {errorMessage(query.error)} This page keeps trying.
    </Notice>
  );
}

export function LoadingLines({ lines = 4, label = 'Loading' }: { lines?: number; label?: string }) {
  return (
    <Stack gap={10} role="status" aria-label={label}>
      {Array.from({ length: lines }, (_, index) => (
        <Skeleton key={index} height={14} width={`${88 - ((index * 17) % 40)}%`} radius="xs" />
      ))}
    </Stack>
  );
}
