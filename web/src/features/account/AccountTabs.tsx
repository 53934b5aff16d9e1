import { PageTabs } from '@/components/PageTabs';

const TABS = [
  { to: '/account', label: 'Profile', exact: true },
  { to: '/account/security', label: 'Security' },
] as const;

export function AccountTabs() {
  return <PageTabs label="Account" tabs={TABS} />;
}
