import { Button, List } from '@mantine/core';
import { useState } from 'react';
import { useForgetConnection } from '@/api/connections';
import type { Connection, Server } from '@/api/types';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { notifyDone } from '@/lib/notify';

interface ForgetAccessProps {
  server: Server;
  connection: Connection;
  disabled: boolean;
}

export function ForgetAccess({ server, connection, disabled }: ForgetAccessProps) {
  const forget = useForgetConnection(server.id);
  const [open, setOpen] = useState(false);
  const close = (): void => {
    forget.reset();
    setOpen(false);
  };
  return (
    <>
      <Button
        variant="default"
        disabled={disabled}
        onClick={() => {
          setOpen(true);
        }}
      >
        Forget access
      </Button>
      <ConfirmDialog
        opened={open}
        onClose={close}
        title="Forget this server’s access"
        confirmLabel="Forget access"
        danger
        pending={forget.isPending}
        error={forget.error}
        onConfirm={() => {
          forget.mutate(undefined, {
            onSuccess: () => {
              notifyDone('The server’s access was forgotten.');
              close();
            },
          });
        }}
      >
        <List size="sm" spacing={6}>
          <List.Item>The address, the confirmed host key and the stored login are deleted from this dashboard.</List.Item>
          <List.Item>The gateway runs on. Visitors notice nothing, and ports can still be changed here.</List.Item>
          <List.Item>To update, restart or remove it, the login is entered again.</List.Item>
          {connection.credential?.kind === 'ACCESS_KEY' && (
            <List.Item>
              The public half of this dashboard’s key stays on the machine, where nobody can use it any more. Uninstall
              removes it; so does deleting its line in <span className="mono">authorized_keys</span>.
            </List.Item>
          )}
        </List>
      </ConfirmDialog>
    </>
  );
}
