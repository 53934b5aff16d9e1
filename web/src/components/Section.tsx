import { Card, Group, Text, Title } from '@mantine/core';
import { useId, type ReactNode } from 'react';
import classes from './Section.module.css';

interface SectionProps {
  title: string;
  /** One line under the title. */
  hint?: ReactNode;
  /** Right of the title. */
  aside?: ReactNode;
  /** Without padding, for tables. */
  flush?: boolean;
  children: ReactNode;
}

/** The one card of this application. */
export function Section({ title, hint, aside, flush = false, children }: SectionProps) {
  const id = useId();
  return (
    <Card component="section" className={classes.section} aria-labelledby={id}>
      <Group className={classes.head} justify="space-between" gap="sm" wrap="nowrap">
        <div className={classes.words}>
          <Title order={2} id={id}>
            {title}
          </Title>
          {hint !== undefined && (
            <Text size="xs" c="dimmed">
              {hint}
            </Text>
          )}
        </div>
        {aside}
      </Group>
      <div className={flush ? undefined : classes.body}>{children}</div>
    </Card>
  );
}
