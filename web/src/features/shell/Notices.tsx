import { List, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useLocation } from '@tanstack/react-router';
import { integrityQuery } from '@/api/admin';
import { keysQuery } from '@/api/keys';
import type { AuditIntegrity, Me } from '@/api/types';
import { AnchorLink } from '@/components/ButtonLink';
import { Notice } from '@/components/Notice';
import classes from './Shell.module.css';

/** What somebody must know on whatever page they are; nothing, mostly. */
export function Notices({ me }: { me: Me }) {
  return (
    <div className={classes.notices}>
      {me.role === 'ADMIN' && <DegradedNotices />}
      {me.signedInWith === 'RECOVERY_CODE' && <RecoveryNotice left={me.recoveryCodesLeft ?? 0} />}
    </div>
  );
}

function RecoveryNotice({ left }: { left: number }) {
  return (
    <Notice tone="warn" title="You signed in with a recovery code">
      {left === 1 ? 'One is left.' : `${left} are left.`} If you lost your authenticator app or passkey, add a new one under{' '}
      <AnchorLink to="/account/security" underline="always">Security</AnchorLink>, remove the lost one, and make new codes.
    </Notice>
  );
}

const KEYS = '/admin/settings/keys';

/** The dashboard's reasons begin small: elsewhere they follow a colon. */
const sentence = (reason: string): string => `${reason.charAt(0).toUpperCase()}${reason.slice(1)}${reason.endsWith('.') ? '' : '.'}`;

const NOT_CURRENT: Partial<Record<AuditIntegrity['state'], string>> = {
  BEHIND: 'The database is behind its anchor',
  FOREIGN: 'This is another installation’s database',
  EMPTIED: 'The database has been emptied',
  ANCHOR_UNREADABLE: 'The anchor of the database cannot be read',
};

/** A dashboard that does only part of its work says so to its admins, wherever they are. */
function DegradedNotices() {
  const { data: integrity } = useQuery(integrityQuery);
  const { data: keys } = useQuery(keysQuery);
  const behind = integrity === undefined ? undefined : NOT_CURRENT[integrity.state];
  const problems = keys?.problems ?? [];
  const atKeys = useLocation({ select: ({ pathname }) => pathname === KEYS });
  return (
    <Stack gap="sm">
      {behind !== undefined && (
        <Notice tone="bad" title={behind}>
          {integrity?.sentence}
        </Notice>
      )}
      {integrity?.anchorDurable === false && (
        <Notice tone="warn" title="The anchor of the audit log cannot be written">
          {integrity.anchorProblem ?? 'Look at the disk and the permissions of the data folder.'}
        </Notice>
      )}
      {problems.length > 0 && (
        <Notice
          tone="bad"
          title={problems.length === 1 ? 'A key is missing' : 'Keys are missing'}
          action={atKeys ? undefined : <AnchorLink to={KEYS}>Look at the keys</AnchorLink>}
        >
          {problems.length === 1 ? (
            problems.map(sentence)
          ) : (
            <List size="sm" spacing={4}>
              {problems.map((problem) => (
                <List.Item key={problem}>{sentence(problem)}</List.Item>
              ))}
            </List>
          )}
        </Notice>
      )}
    </Stack>
  );
}
