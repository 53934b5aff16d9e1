import { Stack } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { Role } from '@/api/types';
import { Icon, type IconName } from '@/components/Icon';
import classes from './Shell.module.css';

interface Entry {
  to: '/admin/fleet' | '/admin/users' | '/admin/audit' | '/admin/settings' | '/app' | '/account';
  label: string;
  icon: IconName;
}

const ENTRIES: Record<Role, Entry[]> = {
  ADMIN: [
    { to: '/admin/fleet', label: 'Fleet', icon: 'fleet' },
    { to: '/admin/users', label: 'Users', icon: 'users' },
    { to: '/admin/audit', label: 'Audit Log', icon: 'audit' },
    { to: '/admin/settings', label: 'Settings', icon: 'settings' },
    { to: '/account', label: 'Account', icon: 'account' },
  ],
  CUSTOMER: [
    { to: '/app', label: 'My server', icon: 'fleet' },
    { to: '/account', label: 'Account', icon: 'account' },
  ],
};

export function Navigation({ role, onNavigate }: { role: Role; onNavigate: () => void }) {
  return (
    <Stack gap={2}>
      {ENTRIES[role].map((entry) => (
        <Link
          key={entry.to}
          to={entry.to}
          className={classes.link}
          onClick={onNavigate}
          activeOptions={{ includeSearch: false }}
        >
          <Icon name={entry.icon} size={17} />
          {entry.label}
        </Link>
      ))}
    </Stack>
  );
}
