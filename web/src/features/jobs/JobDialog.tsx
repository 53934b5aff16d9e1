import { List, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQuery } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { connectionQuery, useSaveConnection } from '@/api/connections';
import { useCreateJob } from '@/api/jobs';
import type { Connection, JobKind } from '@/api/types';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { Notice } from '@/components/Notice';
import { addressOf, connectRules, connectValues, loginBody, type ConnectValues } from '@/features/connection/form';
import { LoginFields } from '@/features/connection/LoginFields';
import { addressText, refusal } from '@/features/connection/stage';
import { applyProblem, keepShownError } from '@/lib/formErrors';
import { JOB_KIND } from './words';

export interface JobServer {
  id: string;
  name: string;
}

interface JobDialogProps {
  opened: boolean;
  onClose: () => void;
  server: JobServer;
  kind: JobKind;
  /** What the person reads, where it is not the kind's own name. */
  name?: string;
  onBegun?: () => void;
}

/** What happens to visitors, in plain words, and the login where none is stored. */
export function JobDialog(props: JobDialogProps) {
  const connection = useQuery(connectionQuery(props.server.id));
  if (connection.data === undefined) return null;
  return <LoadedDialog {...props} connection={connection.data} />;
}

function LoadedDialog({ opened, onClose, server, kind, name = JOB_KIND[kind].name, onBegun, connection }: JobDialogProps & { connection: Connection }) {
  const save = useSaveConnection(server.id);
  const create = useCreateJob(server.id);
  const [failure, setFailure] = useState<Error | null>(null);
  const asked = connection.credential === null;
  const form = useForm<ConnectValues>({
    initialValues: connectValues(connection),
    validateInputOnBlur: true,
    enhanceGetInputProps: keepShownError,
    validate: {
      ...connectRules(() => asked),
      // The address is the connection's, and is not typed here.
      host: () => null,
      port: () => null,
      user: () => null,
    },
  });
  const refused = refusal(connection, false);

  const close = (): void => {
    // What was typed is forgotten.
    form.reset();
    setFailure(null);
    onClose();
  };

  const begin = async (): Promise<void> => {
    if (asked && form.validate().hasErrors) return;
    setFailure(null);
    try {
      if (asked) await save.mutateAsync({ ...loginBody(form.getValues()), ...addressOf(connection) });
      await create.mutateAsync(kind);
      close();
      onBegun?.();
    } catch (error) {
      const general = applyProblem(form, error);
      setFailure(general === null ? null : new Error(general));
    }
  };

  return (
    <ConfirmDialog
      opened={opened}
      onClose={close}
      title={`${name} ${kind === 'UNINSTALL' ? 'from' : 'on'} ${server.name}`}
      confirmLabel={name}
      danger={kind === 'UNINSTALL'}
      typed={kind === 'UNINSTALL' ? { value: server.name, what: 'server’s name' } : undefined}
      pending={save.isPending || create.isPending}
      error={failure}
      disabled={refused !== undefined}
      onConfirm={() => void begin()}
    >
      <Stack gap="md">
        <List size="sm" spacing={6}>
          {MEANS[kind].map((line, index) => (
            <List.Item key={index}>{line}</List.Item>
          ))}
        </List>
        {refused !== undefined && <Notice tone="warn">{refused}</Notice>}
        {asked && refused === undefined && (
          <>
            <div>
              No login is stored, so it is asked for each time. It is used for{' '}
              <span className="mono">{addressText(connection)}</span>, for this alone.
            </div>
            <LoginFields form={form} user={connection.user ?? ''} stored={false} sudoStored={connection.sudoPasswordStored} />
          </>
        )}
      </Stack>
    </ConfirmDialog>
  );
}

const MEANS: Record<JobKind, ReactNode[]> = {
  INSTALL: [
    'The server gets new keys of its own, and the gateway is set up and started again.',
    <>
      A gateway that runs there is replaced: <b>visitors are refused for some seconds.</b>
    </>,
    'If anything fails, the server is put back as it was.',
  ],
  UPDATE: [
    <>
      The gateway’s program is replaced and restarted: <b>visitors are refused for some seconds.</b>
    </>,
    'If the new version gets no answer from this dashboard, the server puts the old one back by itself.',
  ],
  RESTART: [
    <>
      Requests under way are finished first. <b>New visitors are refused for some seconds.</b>
    </>,
    'The configuration stays as it is.',
  ],
  UNINSTALL: [
    <>
      <b>Visitors are refused from then on</b>, with “connection refused”, until Install is run again.
    </>,
    'The gateway’s program, service, user and configuration are deleted from the server, and this dashboard’s access key with them.',
    'The license and the ports set here stay, for a later installation.',
  ],
};
