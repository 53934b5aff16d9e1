import { describe, expect, it } from 'vitest';
import { aJob } from '@/test/data';
import { follow, JOB_POLL_MS, jobPollInterval, LOG_LINES_MAX } from './jobs';

const NOW = Date.parse('2025-11-21T20:30:00Z');
const line = (id: number) => ({ id, step: 0, time: '2025-11-21T20:30:00Z', line: `line ${id}` });
const ids = (job: { log: { id: number }[] }) => job.log.map((entry) => entry.id);

describe('following a job', () => {
  it('adds the lines that are new, each once', () => {
    const first = follow(undefined, aJob({ log: [line(1), line(2)], logCursor: 2 }), NOW);
    const second = follow(first, aJob({ log: [line(2), line(5)], logCursor: 5 }), NOW);
    expect(ids(second)).toEqual([1, 2, 5]);
    expect(second.logCursor).toBe(5);
  });

  it('keeps a bounded log, the newest lines', () => {
    const many = Array.from({ length: LOG_LINES_MAX }, (_, index) => line(index + 1));
    const second = follow(follow(undefined, aJob({ log: many }), NOW), aJob({ log: [line(LOG_LINES_MAX + 1)] }), NOW);
    expect(second.log).toHaveLength(LOG_LINES_MAX);
    expect(second.log[0]?.id).toBe(2);
  });

  it('knows how far the server’s clock is ahead', () => {
    expect(follow(undefined, aJob({ now: '2025-11-21T20:30:05Z' }), NOW).clockAheadMs).toBe(5_000);
  });
});

describe('asking again', () => {
  it('every second while it runs, until it is finished and its whole log is here', () => {
    expect(jobPollInterval(undefined)).toBe(JOB_POLL_MS);
    expect(jobPollInterval(follow(undefined, aJob({ state: 'QUEUED' }), NOW))).toBe(JOB_POLL_MS);
    expect(jobPollInterval(follow(undefined, aJob({ state: 'FAILED', log: [line(1)] }), NOW))).toBe(JOB_POLL_MS);
    expect(jobPollInterval(follow(undefined, aJob({ state: 'FAILED' }), NOW))).toBe(false);
  });
});
