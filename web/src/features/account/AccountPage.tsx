import { PageHeader } from '@/components/PageHeader';
import { Section } from '@/components/Section';
import { ThemeSwitch } from '@/features/shell/ThemeSwitch';
import { useMe } from '@/features/shell/useMe';
import { AccountTabs } from './AccountTabs';
import { ProfileForm } from './ProfileForm';
import classes from './account.module.css';

export function AccountPage() {
  const me = useMe();
  return (
    <>
      <PageHeader title="Account" purpose="Your profile, and how this browser looks." />
      <AccountTabs />
      <div className={classes.cards}>
        <Section title="Profile">
          <ProfileForm me={me} />
        </Section>
        <Section title="Theme" hint="Remembered in this browser.">
          <ThemeSwitch />
        </Section>
      </div>
    </>
  );
}
