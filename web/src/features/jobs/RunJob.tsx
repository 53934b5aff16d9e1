import { Button, Tooltip } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { connectionQuery } from '@/api/connections';
import { useCreateJob } from '@/api/jobs';
import { platformQuery } from '@/api/session';
import type { JobKind } from '@/api/types';
import { notifyFailed } from '@/lib/notify';
import { JobDialog, type JobServer } from './JobDialog';
import { JOB_KIND } from './words';

interface RunJobProps {
  server: JobServer;
  kind: JobKind;
  children: ReactNode;
  /** What the dialog calls it, where it is not the kind's own name. */
  name?: string;
  variant?: 'filled' | 'default';
  /** Asks before it begins, in plain words. */
  confirm?: boolean;
  disabled?: boolean;
  /** Why it is disabled. */
  reason?: string;
}

/** A button that begins a job. It asks for the login when none is stored. */
export function RunJob({ server, kind, children, name = JOB_KIND[kind].name, variant = 'default', confirm = false, ...given }: RunJobProps) {
  const impossible = useQuery(platformQuery).data?.installRefusal ?? undefined;
  const reason = given.reason ?? impossible;
  const disabled = given.disabled === true || impossible !== undefined;
  const connection = useQuery(connectionQuery(server.id));
  const create = useCreateJob(server.id);
  const [open, setOpen] = useState(false);
  const ask = confirm || connection.data?.credential === null;
  const button = (
    <Button
      variant={variant}
      loading={create.isPending}
      disabled={reason === undefined && disabled}
      // Still reachable, so that the reason can be read.
      data-disabled={(reason !== undefined && disabled) || undefined}
      aria-disabled={disabled || undefined}
      onClick={(event) => {
        if (disabled) {
          event.preventDefault();
        } else if (ask) {
          setOpen(true);
        } else {
          create.mutate(kind, {
            onError: (error) => {
              notifyFailed(`${name} did not start`, error);
            },
          });
        }
      }}
    >
      {children}
    </Button>
  );
  return (
    <>
      {disabled && reason !== undefined ? (
        <Tooltip label={reason} multiline maw={280}>
          {button}
        </Tooltip>
      ) : (
        button
      )}
      <JobDialog
        opened={open}
        onClose={() => {
          setOpen(false);
        }}
        server={server}
        kind={kind}
        name={name}
      />
    </>
  );
}
