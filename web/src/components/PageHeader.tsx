import { Group, Text, Title } from '@mantine/core';
import { useEffect, useRef, type ReactNode } from 'react';
import { wasNavigated } from '@/lib/navigation';
import classes from './PageHeader.module.css';

interface PageHeaderProps {
  title: string;
  purpose: ReactNode;
  /** The page's primary action. */
  action?: ReactNode;
  /** What leads back, above the title. */
  back?: ReactNode;
}

export function PageHeader({ title, purpose, action, back }: PageHeaderProps) {
  const heading = useRef<HTMLHeadingElement>(null);

  // After a navigation the reader is told where they are; a first load keeps the browser's own order.
  useEffect(() => {
    if (wasNavigated()) heading.current?.focus({ preventScroll: true });
  }, []);

  return (
    <header className={classes.header}>
      <title>{`${title} · Proxima Gateway`}</title>
      {back}
      <Group justify="space-between" align="flex-start" gap="sm" wrap="wrap">
        <div className={classes.words}>
          <Title order={1} ref={heading} tabIndex={-1}>
            {title}
          </Title>
          <Text c="dimmed" size="sm" mt={2}>
            {purpose}
          </Text>
        </div>
        {action}
      </Group>
    </header>
  );
}
