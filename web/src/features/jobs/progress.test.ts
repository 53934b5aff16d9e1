import { describe, expect, it } from 'vitest';
import { follow } from '@/api/jobs';
import { aJob, aStep } from '@/test/data';
import { announcement, changedNothing, foremost, jobElapsedMs, logText, putBack, sentText, stepElapsedMs, uninstalledOf } from './progress';

const NOW = Date.parse('2025-11-21T20:31:00Z');
const RUNNING = aStep({ id: 'LOGIN', title: 'Log in', state: 'RUNNING', startedAt: '2025-11-21T20:30:50Z' });
const DONE = aStep({ state: 'DONE', startedAt: '2025-11-21T20:30:40Z', finishedAt: '2025-11-21T20:30:42Z' });

describe('elapsed time', () => {
  it('runs while a step does, stands still afterwards, and never goes backwards', () => {
    expect(stepElapsedMs(RUNNING, NOW)).toBe(10_000);
    expect(stepElapsedMs(RUNNING, NOW - 60_000)).toBe(0);
    expect(stepElapsedMs(DONE, NOW)).toBe(2_000);
    expect(stepElapsedMs(aStep(), NOW)).toBeNull();
  });

  it('of a job counts from when it was asked for', () => {
    expect(jobElapsedMs(aJob(), NOW)).toBe(60_000);
    expect(jobElapsedMs(aJob({ finishedAt: '2025-11-21T20:30:12Z' }), NOW)).toBe(12_000);
  });
});

describe('announcement', () => {
  const said = (parts: Parameters<typeof aJob>[0]) => announcement(follow(undefined, aJob(parts), NOW));

  it('speaks of steps and of the end', () => {
    expect(said({ state: 'QUEUED' })).toBe('Install: waiting to begin.');
    expect(said({ steps: [DONE, RUNNING] })).toBe('Installing. Step 2 of 2: Log in.');
    expect(said({ state: 'SUCCEEDED' })).toBe('Installed.');
    expect(said({ state: 'FAILED', problem: { code: 'X', sentence: 'The disk is full.', remedy: 'r' } })).toBe(
      'The installation failed. The disk is full.',
    );
  });

  it('does not change with the log or the clock, so that nobody hears every tick', () => {
    const before = follow(undefined, aJob({ steps: [DONE, RUNNING] }), NOW);
    const after = follow(
      before,
      aJob({ steps: [DONE, RUNNING], now: '2025-11-21T20:30:09Z', log: [{ id: 1, step: 1, time: '2025-11-21T20:30:09Z', line: 'x' }], logCursor: 1 }),
      NOW + 4_000,
    );
    expect(announcement(after)).toBe(announcement(before));
  });
});

describe('foremost', () => {
  const ended = (state: 'FAILED' | 'SUCCEEDED', finishedAt: string) => aJob({ state, finishedAt });

  it('is what is under way, put away or not', () => {
    expect(foremost(undefined, null, NOW)).toBeNull();
    expect(foremost(aJob(), aJob().id, NOW)?.state).toBe('RUNNING');
  });

  it('keeps good news for a while and bad news until it is put away', () => {
    expect(foremost(ended('SUCCEEDED', '2025-11-21T20:30:00Z'), null, NOW)).not.toBeNull();
    expect(foremost(ended('SUCCEEDED', '2025-11-21T19:30:00Z'), null, NOW)).toBeNull();
    expect(foremost(ended('FAILED', '2025-11-20T19:30:00Z'), null, NOW)).not.toBeNull();
    expect(foremost(ended('FAILED', '2025-11-20T19:30:00Z'), aJob().id, NOW)).toBeNull();
  });

  it('does not call a gateway online that has stopped since', () => {
    expect(foremost(ended('SUCCEEDED', '2025-11-21T20:30:00Z'), null, NOW, true)).toBeNull();
    expect(foremost(ended('FAILED', '2025-11-21T20:30:00Z'), null, NOW, true)).not.toBeNull();
    expect(foremost(aJob(), null, NOW, true)).not.toBeNull();
    expect(foremost({ ...ended('SUCCEEDED', '2025-11-21T20:30:00Z'), kind: 'UPDATE' }, null, NOW, true)).not.toBeNull();
  });
});

describe('what is left of a job that failed', () => {
  const upload = aStep({ id: 'UPLOAD', title: 'Upload the gateway', undo: 'Delete the uploaded file.' });

  it('claims that nothing was changed only when no step that changes anything was begun', () => {
    expect(changedNothing([{ ...DONE, state: 'FAILED' }, upload])).toBe(true);
    expect(changedNothing([DONE, { ...upload, state: 'FAILED' }])).toBe(false);
    expect(changedNothing([DONE, aStep({ id: 'REMOVE', state: 'FAILED' })])).toBe(false);
  });

  it('lists what was put back', () => {
    expect(putBack([DONE, { ...upload, state: 'UNDONE' }]).map((step) => step.id)).toEqual(['UPLOAD']);
  });
});

describe('what the installer tells', () => {
  it('says how much was sent, of a step that sends', () => {
    expect(sentText(aStep())).toBeNull();
    expect(sentText(aStep({ sentBytes: 3_355_444, totalBytes: 9_856_614 }))).toBe('3.2 of 9.4 MiB sent');
  });

  it('is read with care', () => {
    const left = (result: unknown) => uninstalledOf(aJob({ result: result as null }));
    expect(left(null)).toBeNull();
    expect(left({ uninstalled: 'x' })).toBeNull();
    expect(left({ uninstalled: { removed: ['/etc/proxima-gateway', 7], left: null } })).toEqual({ removed: ['/etc/proxima-gateway'], left: [] });
  });
});

it('copies the log by steps', () => {
  const job = aJob({
    state: 'FAILED',
    steps: [DONE, { ...RUNNING, state: 'FAILED', problem: { code: 'X', sentence: 'It was refused.', remedy: '' } }, aStep({ id: 'UPLOAD', title: 'Upload' })],
    log: [{ id: 1, step: 1, time: '2025-11-21T20:30:09Z', line: 'Permission denied' }],
  });
  expect(logText(follow(undefined, job, NOW))).toBe(
    '1. Connect: Done\n2. Log in: Failed (It was refused.)\n   2025-11-21T20:30:09Z Permission denied\n3. Upload: Not started',
  );
});
