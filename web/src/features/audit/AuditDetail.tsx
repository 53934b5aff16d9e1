import { Group } from '@mantine/core';
import type { AuditEntry } from '@/api/types';
import { CopyButton } from '@/components/CopyButton';
import { Fact, Facts } from '@/components/Facts';
import { exactUtc } from '@/lib/time';
import { ACTIONS, reasonOf } from './words';

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 1);
}

function Mono({ text, what }: { text: string; what: string }) {
  return (
    <Group gap={4} wrap="nowrap">
      <span className="mono">{text}</span>
      <CopyButton value={text} label={`Copy ${what}`} />
    </Group>
  );
}

export function AuditDetail({ entry }: { entry: AuditEntry }) {
  const metadata = Object.entries(entry.metadata);
  const reason = reasonOf(entry);
  // Some actions are failures by their name; the others were only attempted.
  const attempt = reason !== null && !entry.action.endsWith('.failed');
  return (
    <Facts>
      {ACTIONS[entry.action] !== undefined && <Fact name={attempt ? 'Attempted' : 'What'}>{ACTIONS[entry.action]}</Fact>}
      <Fact name="Exact time">
        <span className="numeric">{exactUtc(entry.time)}</span>
      </Fact>
      <Fact name="Entry">
        <span className="numeric">{entry.id}</span>
      </Fact>
      {entry.target && (
        <Fact name={entry.targetType ? `Target (${entry.targetType})` : 'Target'}>
          <Mono text={entry.target} what="target id" />
        </Fact>
      )}
      {entry.userId && (
        <Fact name="Actor id">
          <Mono text={entry.userId} what="actor id" />
        </Fact>
      )}
      {reason !== null && <Fact name="Refused because">{reason}</Fact>}
      {metadata.map(([key, value]) => (
        <Fact key={key} name={key}>
          <span className="mono">{asText(value)}</span>
        </Fact>
      ))}
      {metadata.length === 0 && <Fact name="Metadata">none</Fact>}
      <Fact name="Hash">
        <Mono text={entry.hash} what="hash" />
      </Fact>
    </Facts>
  );
}
