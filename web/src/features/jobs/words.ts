import type { JobKind, JobState, StepState } from '@/api/types';
import type { IconName } from '@/components/Icon';
import type { Tone } from '@/lib/words';

export const JOB_KIND: Record<JobKind, { name: string; doing: string; done: string; failed: string }> = {
  INSTALL: { name: 'Install', doing: 'Installing', done: 'Installed', failed: 'The installation failed' },
  UPDATE: { name: 'Update', doing: 'Updating', done: 'Updated', failed: 'The update failed' },
  RESTART: { name: 'Restart', doing: 'Restarting', done: 'Restarted', failed: 'The restart failed' },
  UNINSTALL: { name: 'Uninstall', doing: 'Uninstalling', done: 'Uninstalled', failed: 'The uninstallation failed' },
};

export const JOB_STATE: Record<JobState, { label: string; tone: Tone }> = {
  QUEUED: { label: 'Waiting', tone: 'idle' },
  RUNNING: { label: 'Running', tone: 'busy' },
  SUCCEEDED: { label: 'Succeeded', tone: 'ok' },
  FAILED: { label: 'Failed', tone: 'bad' },
  CANCELLED: { label: 'Cancelled', tone: 'warn' },
};

interface StepWord {
  label: string;
  tone: Tone;
  icon: IconName | null;
}

const STEP_STATE: Record<StepState, StepWord> = {
  PENDING: { label: 'Waiting', tone: 'idle', icon: 'wait' },
  RUNNING: { label: 'Running', tone: 'busy', icon: null },
  DONE: { label: 'Done', tone: 'ok', icon: 'check' },
  UNCHANGED: { label: 'Already done', tone: 'ok', icon: 'check' },
  SKIPPED: { label: 'Skipped', tone: 'idle', icon: 'minus' },
  FAILED: { label: 'Failed', tone: 'bad', icon: 'close' },
  UNDONE: { label: 'Put back', tone: 'warn', icon: 'undo' },
  REMAINS: { label: 'Not put back', tone: 'bad', icon: 'warning' },
};

/** What has not been begun when its job ends is not waiting any more. */
export function stepWord(state: StepState, jobEnded: boolean): StepWord {
  return state === 'PENDING' && jobEnded ? { label: 'Not started', tone: 'idle', icon: 'minus' } : STEP_STATE[state];
}

/** What the gateway's visitors notice, for who is about to cancel. */
export const CANCEL_MEANS: Record<JobKind, string> = {
  INSTALL: 'What was changed on your server is put back, in reverse order. A gateway that ran there before runs again.',
  UPDATE: 'If the new version is in use already, the old one is put back. Visitors may be refused for a moment.',
  RESTART: 'A restart that has begun is finished all the same: the gateway is not left stopped.',
  UNINSTALL: 'What was removed already stays removed. Install puts the gateway back.',
};
