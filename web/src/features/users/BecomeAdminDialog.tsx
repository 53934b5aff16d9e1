import { List } from '@mantine/core';
import type { User } from '@/api/types';
import { ConfirmDialog } from '@/components/ConfirmDialog';

interface BecomeAdminDialogProps {
  user: User;
  opened: boolean;
  pending: boolean;
  onClose: () => void;
  onConfirm: () => void;
}

export function BecomeAdminDialog({ user, opened, pending, onClose, onConfirm }: BecomeAdminDialogProps) {
  return (
    <ConfirmDialog
      opened={opened}
      onClose={onClose}
      title={`Make ${user.username} an admin`}
      confirmLabel="Delete server and make admin"
      danger
      pending={pending}
      typed={{ value: user.username, what: 'username' }}
      onConfirm={onConfirm}
    >
      <List size="sm" spacing={6}>
        <List.Item>
          Admins own no server: <b>{user.server?.name ?? 'their server'}</b> is deleted and its license key is retired.
        </List.Item>
        <List.Item>
          The gateway on the machine stops at its next heartbeat. From then on visitors get
          “connection refused”.
        </List.Item>
        <List.Item>{user.username} can manage every user, server and license, and is signed out everywhere.</List.Item>
        <List.Item>The server cannot be brought back.</List.Item>
      </List>
    </ConfirmDialog>
  );
}
