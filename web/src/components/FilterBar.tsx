import type { ReactNode } from 'react';
import classes from './FilterBar.module.css';

export function FilterBar({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className={classes.bar} role="search" aria-label={label}>
      {children}
    </div>
  );
}

/** The filter that takes whatever room is left. */
export function FilterGrow({ children }: { children: ReactNode }) {
  return <div className={classes.grow}>{children}</div>;
}
