import { Tooltip } from '@mantine/core';
import { useNow } from '@/lib/clock';
import { exactUtc, relativeTime } from '@/lib/time';

/** "5 min ago", with the exact UTC on hover and focus. */
export function RelativeTime({ at, none = 'Never' }: { at: string | null | undefined; none?: string }) {
  const now = useNow();
  if (at === null || at === undefined) return <span>{none}</span>;
  return (
    <Tooltip label={exactUtc(at)}>
      <time dateTime={at} className="numeric" style={{ whiteSpace: 'nowrap' }}>
        {relativeTime(at, now)}
      </time>
    </Tooltip>
  );
}
