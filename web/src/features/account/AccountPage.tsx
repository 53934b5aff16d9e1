import { PageHeader } from '@/components/PageHeader';
import { Section } from '@/components/Section';
import { ThemeSwitch } from '@/features/shell/ThemeSwitch';
import { useMe } from '@/features/shell/useMe';
import { PasswordForm } from './PasswordForm';
import { ProfileForm } from './ProfileForm';
import { SessionsCard } from './SessionsCard';
import classes from './account.module.css';

export function AccountPage() {
  const me = useMe();
  return (
    <>
      <PageHeader title="Account" purpose="Your profile, password and signed-in devices." />
      <div className={classes.cards}>
        <div className={classes.column}>
          <Section title="Profile">
            <ProfileForm me={me} />
          </Section>
          <Section title="Theme" hint="Remembered in this browser.">
            <ThemeSwitch />
          </Section>
        </div>
        <Section title="Change password">
          <PasswordForm username={me.username} />
        </Section>
        <div className={classes.wide}>
          <SessionsCard />
        </div>
      </div>
    </>
  );
}
