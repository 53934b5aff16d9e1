import { screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { AuditEntry } from '@/api/types';
import { DataTable } from '@/components/DataTable';
import { show } from '@/test/render';
import { AuditDetail } from './AuditDetail';
import { auditColumns } from './auditColumns';
import { timesReversed } from './times';

const REFUSED = {
  id: 7, time: '2025-11-21T20:30:00Z', action: 'user.step_up.failed', outcome: 'FAILURE', target: null, targetType: null, targetName: null,
  userId: null, username: 'admin', ip: '203.0.113.7', metadata: { with: 'PASSWORD', refused: 'wrong_password' }, hash: 'ab',
} as unknown as AuditEntry;

async function list(entry: AuditEntry) {
  const columns = auditColumns({ open: [], onToggle: () => undefined });
  await show(<DataTable label="Audit log" columns={columns} rows={[entry]} rowKey={(row) => row.id} />);
}

describe('a refusal in the audit log', () => {
  it('says its reason in its row', async () => {
    await list(REFUSED);
    expect(screen.getByText('Failure')).toBeInTheDocument();
    expect(screen.getByText('the password was wrong')).toBeInTheDocument();
  });

  it('says it in its details, as what it is and not as an attempt at it', async () => {
    await show(<AuditDetail entry={REFUSED} />);
    expect(screen.getByText('Refused because').nextSibling).toHaveTextContent('the password was wrong');
    expect(screen.queryByText('Attempted')).not.toBeInTheDocument();
  });

  it('is an attempt where the action would have been something else', async () => {
    await show(<AuditDetail entry={{ ...REFUSED, action: 'server.license.reveal', metadata: { refused: 'step_up_required' } }} />);
    expect(screen.getByText('Attempted')).toBeInTheDocument();
  });

  it('has no reason where nothing was refused', async () => {
    await list({ ...REFUSED, action: 'user.step_up', outcome: 'SUCCESS', metadata: {} });
    expect(screen.queryByText('the password was wrong')).not.toBeInTheDocument();
  });
});

describe('timesReversed', () => {
  it('is so only when both are given and the wrong way round', () => {
    expect(timesReversed({ from: '2025-11-22T10:00', to: '2025-11-21T10:00' })).toBe(true);
    expect(timesReversed({ from: '2025-11-21T10:00', to: '2025-11-21T10:00' })).toBe(false);
    expect(timesReversed({ from: '2025-11-22T10:00' })).toBe(false);
    expect(timesReversed({ to: '2025-11-21T10:00' })).toBe(false);
  });
});
