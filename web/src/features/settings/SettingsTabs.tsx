import { PageTabs } from '@/components/PageTabs';

const TABS = [
  { to: '/admin/settings', label: 'General', exact: true },
  { to: '/admin/settings/notifications', label: 'Notifications' },
  { to: '/admin/settings/keys', label: 'Keys' },
] as const;

export function SettingsTabs() {
  return <PageTabs label="Settings" tabs={TABS} />;
}
