import { Button, List, Stack } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import type { User } from '@/api/types';
import { useDeleteUser } from '@/api/users';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { Notice } from '@/components/Notice';
import { JobDialog } from '@/features/jobs/JobDialog';
import { notifyDone } from '@/lib/notify';

interface DeleteUserDialogProps {
  user: User | null;
  onClose: () => void;
  onDeleted?: () => void;
}

export function DeleteUserDialog({ user, onClose, onDeleted }: DeleteUserDialogProps) {
  const remove = useDeleteUser();
  const navigate = useNavigate();
  const [uninstalling, setUninstalling] = useState(false);
  // Kept while the dialog fades out, so that its words do not vanish first.
  const [last, setLast] = useState(user);
  if (user !== null && user !== last) setLast(user);
  const username = last?.username ?? '';

  const close = (): void => {
    remove.reset();
    onClose();
  };

  const server = last?.server ?? null;
  return (
    <>
      {/* There from the start, so that closing it for the first time returns the focus, too. */}
      <ConfirmDialog
        opened={user !== null}
        onClose={close}
        title={`Delete ${username}`}
        confirmLabel="Delete user"
        danger
        typed={{ value: username, what: 'username' }}
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() => {
          if (last === null) return;
          remove.mutate(
            { userId: last.id, username },
            {
              onSuccess: () => {
                notifyDone(`${username} was deleted.`);
                close();
                onDeleted?.();
              },
            },
          );
        }}
      >
        {last !== null && (
          <Stack gap="md">
            <WhatHappens user={last} />
            {server !== null && server.status !== 'NOT_INSTALLED' && (
              <Notice
                tone="info"
                title="The gateway stays on the customer’s machine"
                action={
                  <Button
                    variant="default"
                    onClick={() => {
                      close();
                      setUninstalling(true);
                    }}
                  >
                    Uninstall first
                  </Button>
                }
              >
                Deleting the user does not remove it from there. Afterwards this dashboard cannot log in to that machine any more.
              </Notice>
            )}
          </Stack>
        )}
      </ConfirmDialog>
      {server !== null && last !== null && (
        <JobDialog
          opened={uninstalling}
          onClose={() => {
            setUninstalling(false);
          }}
          server={server}
          kind="UNINSTALL"
          onBegun={() => void navigate({ to: '/admin/users/$userId', params: { userId: last.id } })}
        />
      )}
    </>
  );
}

function WhatHappens({ user }: { user: User }) {
  return (
    <List size="sm" spacing={6}>
      <List.Item>
        The account <b>{user.username}</b> is deleted and signed out everywhere, at once.
      </List.Item>
      {user.server && (
        <>
          <List.Item>
            The server <b>{user.server.name}</b> is deleted with it, and its license key is retired.
          </List.Item>
          <List.Item>
            The gateway on the customer’s machine stops at its next heartbeat. From then on
            visitors get “connection refused”.
          </List.Item>
        </>
      )}
      <List.Item>This cannot be undone. The audit log keeps its entries.</List.Item>
    </List>
  );
}
