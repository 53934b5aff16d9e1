import { Link } from '@tanstack/react-router';
import classes from './PageTabs.module.css';

interface Tab {
  to: '/admin/settings' | '/admin/settings/notifications' | '/admin/settings/keys' | '/account' | '/account/security';
  label: string;
  /** Not also for the addresses below it. */
  exact?: boolean;
}

/** The parts of a page, each an address of its own. */
export function PageTabs({ label, tabs }: { label: string; tabs: readonly Tab[] }) {
  return (
    <nav aria-label={label} className={classes.tabs}>
      {tabs.map((tab) => (
        <Link key={tab.to} to={tab.to} className={classes.tab} activeOptions={{ exact: tab.exact === true, includeSearch: false }}>
          {tab.label}
        </Link>
      ))}
    </nav>
  );
}
