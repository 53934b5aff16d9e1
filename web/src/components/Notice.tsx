import type { ReactNode } from 'react';
import { Icon } from './Icon';
import classes from './Notice.module.css';

interface NoticeProps {
  tone: 'info' | 'ok' | 'warn' | 'bad';
  title?: string;
  action?: ReactNode;
  /** Announced at once when it appears; for what a person must not miss. */
  urgent?: boolean;
  children?: ReactNode;
}

/** A message inside the page, with an icon and words as well as its colour. */
export function Notice({ tone, title, action, urgent, children }: NoticeProps) {
  const role = (urgent ?? tone === 'bad') ? 'alert' : tone === 'info' ? undefined : 'status';
  return (
    <div className={classes.notice} data-tone={tone} role={role}>
      {tone !== 'info' && (
        <span className={classes.icon}>
          <Icon name={tone === 'ok' ? 'check' : 'warning'} />
        </span>
      )}
      <div className={classes.content}>
        {title !== undefined && <div className={classes.title}>{title}</div>}
        {children !== undefined && <div>{children}</div>}
        {action !== undefined && <div className={classes.action}>{action}</div>}
      </div>
    </div>
  );
}
