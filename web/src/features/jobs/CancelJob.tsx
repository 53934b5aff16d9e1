import { Button } from '@mantine/core';
import { useState } from 'react';
import { useCancelJob } from '@/api/jobs';
import type { Job } from '@/api/types';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { notifyDone } from '@/lib/notify';
import { CANCEL_MEANS, JOB_KIND } from './words';

export function CancelJob({ serverId, job }: { serverId: string; job: Job }) {
  const cancel = useCancelJob(serverId, job.id);
  const [open, setOpen] = useState(false);
  const name = JOB_KIND[job.kind].name.toLowerCase();
  const close = (): void => {
    cancel.reset();
    setOpen(false);
  };
  return (
    <>
      <Button
        variant="default"
        disabled={job.cancelRequested}
        onClick={() => {
          setOpen(true);
        }}
      >
        {job.cancelRequested ? 'Cancelling…' : 'Cancel'}
      </Button>
      <ConfirmDialog
        opened={open}
        onClose={close}
        title={`Cancel this ${name}?`}
        confirmLabel={`Cancel ${name}`}
        cancelLabel="Let it continue"
        danger
        pending={cancel.isPending}
        error={cancel.error}
        onConfirm={() => {
          cancel.mutate(undefined, {
            onSuccess: (answer) => {
              notifyDone(answer.state === 'CANCELLED' ? `The ${name} was cancelled.` : `The ${name} is being cancelled.`);
              close();
            },
          });
        }}
      >
        {job.state === 'QUEUED' ? 'It has not started, so nothing on your server has changed.' : CANCEL_MEANS[job.kind]}
      </ConfirmDialog>
    </>
  );
}
