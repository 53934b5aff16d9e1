import { useQuery } from '@tanstack/react-query';
import { platformQuery } from '@/api/session';
import { CopyButton } from '@/components/CopyButton';
import { Notice } from '@/components/Notice';
import { allowlistCsv } from '@/lib/allowlist';

/** For the firewall of the box: where this dashboard connects from. */
export function AllowlistNotice() {
  const platform = useQuery(platformQuery);
  const allowlist = platform.data?.dashboardIpAllowlist ?? [];
  if (allowlist.length === 0) return null;
  return (
    <Notice
      tone="warn"
      title="Dashboard IP allowlist"
      action={<CopyButton value={allowlistCsv(allowlist)} label="Copy dashboard IP allowlist" text="Copy as CSV" />}
    >
      If a firewall protects the machine, let these addresses in, so that the dashboard can reach it:
      <div className="mono" style={{ marginTop: 4 }}>
        {allowlist.join(', ')}
      </div>
    </Notice>
  );
}
