import { isUnfinished, type FollowedJob } from '@/api/jobs';
import type { Job, JobDetails, JobLogLine, JobStep } from '@/api/types';
import { JOB_KIND, stepWord } from './words';

/** How long a step took, or has taken so far; null before it begins. `serverNowMs` is the server's clock. */
export function stepElapsedMs(step: Pick<JobStep, 'startedAt' | 'finishedAt'>, serverNowMs: number): number | null {
  if (step.startedAt === null) return null;
  const end = step.finishedAt === null ? serverNowMs : Date.parse(step.finishedAt);
  return Math.max(0, end - Date.parse(step.startedAt));
}

/** From the moment it was asked for, as whoever waits counts. */
export function jobElapsedMs(job: Pick<Job, 'requestedAt' | 'finishedAt'>, serverNowMs: number): number {
  const end = job.finishedAt === null ? serverNowMs : Date.parse(job.finishedAt);
  return Math.max(0, end - Date.parse(job.requestedAt));
}

export function stepsDone(steps: readonly JobStep[]): number {
  return steps.filter((step) => ['DONE', 'UNCHANGED', 'SKIPPED'].includes(step.state)).length;
}

/** What was done and then put back. */
export function putBack(steps: readonly JobStep[]): JobStep[] {
  return steps.filter((step) => step.state === 'UNDONE');
}

/** Steps that only look. */
const LOOKING = new Set(['CONNECT', 'HOST_KEY', 'LOGIN', 'PRIVILEGES', 'FACTS', 'REACH', 'HEARTBEAT']);

/** True when no step that changes anything was begun. */
export function changedNothing(steps: readonly JobStep[]): boolean {
  return steps.every((step) => LOOKING.has(step.id) || ['PENDING', 'UNCHANGED', 'SKIPPED'].includes(step.state));
}

const MIB = 1024 * 1024;

/** `3.2 of 9.4 MiB sent`, of a step that sends something. */
export function sentText({ sentBytes, totalBytes }: Pick<JobStep, 'sentBytes' | 'totalBytes'>): string | null {
  if (sentBytes === null || totalBytes === null) return null;
  return `${(sentBytes / MIB).toFixed(1)} of ${(totalBytes / MIB).toFixed(1)} MiB sent`;
}

/** A step's lines. They name their step by its place. */
export function linesOf(log: readonly JobLogLine[], place: number): JobLogLine[] {
  return log.filter((line) => line.step === place);
}

/** What a screen reader hears: once for every step and for the end, never for a tick. */
export function announcement(job: FollowedJob): string {
  const { doing, done, failed, name } = JOB_KIND[job.kind];
  switch (job.state) {
    case 'QUEUED':
      return `${name}: waiting to begin.`;
    case 'SUCCEEDED':
      return `${done}.`;
    case 'FAILED':
      return `${failed}. ${job.problem?.sentence ?? ''}`.trim();
    case 'CANCELLED':
      return `${name}: cancelled.`;
    case 'RUNNING': {
      const at = job.steps.findIndex((step) => step.state === 'RUNNING');
      const step = job.steps[at];
      return step === undefined ? `${doing}.` : `${doing}. Step ${at + 1} of ${job.steps.length}: ${step.title}.`;
    }
  }
}

/** How long a finished job that went well stays in the foreground. */
const GOOD_NEWS_MS = 15 * 60_000;

/**
 * The job that belongs in the foreground: what is under way, or how it ended, until it is put away or old. That a gateway
 * came online is no news once it is known to have stopped.
 */
export function foremost(newest: Job | undefined, putAway: string | null, nowMs: number, stopped = false): Job | null {
  if (newest === undefined) return null;
  if (isUnfinished(newest)) return newest;
  if (newest.id === putAway || (stopped && newest.kind === 'INSTALL' && newest.state === 'SUCCEEDED')) return null;
  const old = newest.finishedAt !== null && nowMs - Date.parse(newest.finishedAt) > GOOD_NEWS_MS;
  return newest.state !== 'FAILED' && old ? null : newest;
}

/** The whole log as text, for whoever is asked to help. */
export function logText(job: FollowedJob): string {
  return job.steps
    .map((step, place) => {
      const word = stepWord(step.state, !isUnfinished(job)).label;
      const head = `${place + 1}. ${step.title}: ${word}${step.problem === null ? '' : ` (${step.problem.sentence})`}`;
      return [head, ...linesOf(job.log, place).map((line) => `   ${line.time} ${line.line}`)].join('\n');
    })
    .join('\n');
}

/** What a finished uninstallation tells. */
export interface Uninstalled {
  removed: string[];
  left: string[];
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** The document is the installer's; a field that is not as expected is left out. */
export function uninstalledOf(job: JobDetails): Uninstalled | null {
  const found: unknown = (job.result as { uninstalled?: unknown } | null)?.uninstalled;
  if (typeof found !== 'object' || found === null) return null;
  const { removed, left } = found as { removed?: unknown; left?: unknown };
  return { removed: texts(removed), left: texts(left) };
}
