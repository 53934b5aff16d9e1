import { ActionIcon, Button, Tooltip } from '@mantine/core';
import { useEffect, useState } from 'react';
import { copyText } from '@/lib/clipboard';
import { Icon } from './Icon';

interface CopyButtonProps {
  /** What to copy, or how to get it. */
  value: string | (() => Promise<string>);
  /** Says what is copied; the accessible name. */
  label: string;
  /** With words beside the icon. */
  text?: string;
  onCopied?: () => void;
  onError?: (error: unknown) => void;
}

type Outcome = 'idle' | 'copied' | 'failed';

export function CopyButton({ value, label, text, onCopied, onError }: CopyButtonProps) {
  const [outcome, setOutcome] = useState<Outcome>('idle');

  useEffect(() => {
    if (outcome === 'idle') return undefined;
    const timer = window.setTimeout(() => {
      setOutcome('idle');
    }, 1_800);
    return () => {
      window.clearTimeout(timer);
    };
  }, [outcome]);

  const copy = async (): Promise<void> => {
    try {
      const content = typeof value === 'string' ? value : await value();
      const copied = await copyText(content);
      setOutcome(copied ? 'copied' : 'failed');
      if (copied) onCopied?.();
    } catch (error) {
      onError?.(error);
    }
  };

  const said = outcome === 'copied' ? 'Copied' : outcome === 'failed' ? 'Copying was refused by the browser' : label;
  const icon = <Icon name={outcome === 'copied' ? 'check' : 'copy'} size={15} />;
  const live = (
    <span className="visually-hidden" role="status">
      {outcome === 'idle' ? '' : said}
    </span>
  );
  if (text !== undefined) {
    return (
      <>
        <Button variant="default" leftSection={icon} onClick={copy} aria-label={label}>
          {outcome === 'copied' ? 'Copied' : text}
        </Button>
        {live}
      </>
    );
  }
  return (
    <>
      <Tooltip label={said}>
        <ActionIcon variant="subtle" color="gray" onClick={copy} aria-label={label}>
          {icon}
        </ActionIcon>
      </Tooltip>
      {live}
    </>
  );
}
