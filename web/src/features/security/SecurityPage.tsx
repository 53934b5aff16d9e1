import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { securityQuery, useRefreshMe } from '@/api/access';
import type { Security } from '@/api/types';
import { Dialog } from '@/components/Dialog';
import { Notice } from '@/components/Notice';
import { PageHeader } from '@/components/PageHeader';
import { Section } from '@/components/Section';
import { ErrorState, LoadingLines } from '@/components/States';
import account from '@/features/account/account.module.css';
import { AccountTabs } from '@/features/account/AccountTabs';
import { PasswordForm } from '@/features/account/PasswordForm';
import { SessionsCard } from '@/features/account/SessionsCard';
import { useMe } from '@/features/shell/useMe';
import { notifyDone } from '@/lib/notify';
import { AuthenticatorCard } from './AuthenticatorCard';
import { PasskeysCard } from './PasskeysCard';
import { PasskeySetup } from './PasskeySetup';
import { RecoveryCodes } from './RecoveryCodes';
import { RecoveryCodesCard } from './RecoveryCodesCard';
import classes from './security.module.css';
import { TotpSetup } from './TotpSetup';

/** Nothing that arrives late moves the form, or takes away what was typed into it. */
export function SecurityPage() {
  const me = useMe();
  const security = useQuery(securityQuery);
  return (
    <>
      <PageHeader title="Security" purpose="How you sign in, and where you are signed in." />
      <AccountTabs />
      <div className={classes.stack}>
        <div className={account.cards}>
          <Section title="Change password">
            <PasswordForm username={me.username} />
          </Section>
          {security.data !== undefined ? (
            <Factors security={security.data} />
          ) : (
            <Section title="Authenticator app">
              {security.isError ? (
                <ErrorState what="How you sign in" error={security.error} onRetry={() => void security.refetch()} retrying={security.isFetching} />
              ) : (
                <LoadingLines />
              )}
            </Section>
          )}
        </div>
        <SessionsCard />
      </div>
    </>
  );
}

type Open = 'totp' | 'passkey' | { codes: string[] } | null;

function Factors({ security }: { security: Security }) {
  const refreshMe = useRefreshMe();
  const [open, setOpen] = useState<Open>(null);
  const has = security.totp !== null || security.passkeys.length > 0;

  const done = (codes: string[] | null, message: string): void => {
    notifyDone(message);
    void refreshMe();
    setOpen(codes === null ? null : { codes });
  };
  const close = (): void => {
    setOpen(null);
  };
  return (
    <>
      <div className={account.column}>
        {!has && (
          <Notice tone="info" title="Your password alone signs you in">
            Add an authenticator app or a passkey, so that a password in wrong hands is not enough.
          </Notice>
        )}
        <AuthenticatorCard
          security={security}
          onSetUp={() => {
            setOpen('totp');
          }}
        />
        <RecoveryCodesCard
          security={security}
          onMade={(codes) => {
            setOpen({ codes });
          }}
        />
      </div>
      <div className={account.wide}>
        <PasskeysCard
          security={security}
          onAdd={() => {
            setOpen('passkey');
          }}
        />
      </div>
      <Dialog opened={open === 'totp'} onClose={close} title="Set up an authenticator app" size={560}>
        <TotpSetup
          onCancel={close}
          onDone={(codes) => {
            done(codes, 'The authenticator app was added. Other devices were signed out.');
          }}
        />
      </Dialog>
      <Dialog opened={open === 'passkey'} onClose={close} title="Add a passkey">
        <PasskeySetup
          onCancel={close}
          onDone={(codes) => {
            done(codes, 'The passkey was added. Other devices were signed out.');
          }}
        />
      </Dialog>
      <Dialog opened={open !== null && typeof open === 'object'} onClose={close} title="Your recovery codes" size={600} firm>
        {open !== null && typeof open === 'object' && <RecoveryCodes codes={open.codes} onDone={close} />}
      </Dialog>
    </>
  );
}
