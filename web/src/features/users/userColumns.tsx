import { ActionIcon, Anchor, Tooltip } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { Server, User } from '@/api/types';
import { Clip } from '@/components/Clip';
import type { Column } from '@/components/DataTable';
import { Icon } from '@/components/Icon';
import { LicenseBadge } from '@/components/LicenseBadge';
import { RelativeTime } from '@/components/RelativeTime';
import { ServerStatusDot } from '@/components/StatusDot';
import { ROLE_LABEL } from '@/lib/words';
import type { ReactNode } from 'react';

const nothing = <span className="nothing">–</span>;

function ofServer(show: (server: Server) => ReactNode) {
  return (user: User): ReactNode => (user.server ? show(user.server) : nothing);
}

interface Options {
  meId: string;
  onDelete: (user: User) => void;
}

export function userColumns({ meId, onDelete }: Options): Column<User>[] {
  return [
    {
      id: 'username',
      header: 'Username',
      sortKey: 'username',
      cell: (user) => (
        <Anchor
          size="sm"
          fw={550}
          renderRoot={(props) => <Link to="/admin/users/$userId" params={{ userId: user.id }} {...props} />}
        >
          {user.username}
        </Anchor>
      ),
    },
    { id: 'displayName', header: 'Display name', cell: (user) => (user.displayName ? <Clip text={user.displayName} /> : nothing) },
    { id: 'role', header: 'Role', cell: (user) => ROLE_LABEL[user.role] },
    { id: 'server', header: 'Server', cell: ofServer((server) => <Clip text={server.name} />) },
    { id: 'status', header: 'Server status', cell: ofServer((server) => <ServerStatusDot status={server.status} />) },
    { id: 'license', header: 'License', cell: ofServer((server) => <LicenseBadge status={server.license.status} />) },
    { id: 'heartbeat', header: 'Last heartbeat', align: 'end', cell: ofServer((server) => <RelativeTime at={server.lastHeartbeatAt} />) },
    {
      id: 'version',
      header: 'Version',
      cell: ofServer((server) => (server.installedVersion ? <span className="mono">{server.installedVersion}</span> : nothing)),
    },
    { id: 'created', header: 'Created', sortKey: 'createdAt', align: 'end', cell: (user) => <RelativeTime at={user.createdAt} /> },
    {
      id: 'actions',
      header: 'Actions',
      actions: true,
      width: 48,
      cell: (user) => <DeleteButton user={user} own={user.id === meId} onDelete={onDelete} />,
    },
  ];
}

function DeleteButton({ user, own, onDelete }: { user: User; own: boolean; onDelete: (user: User) => void }) {
  return (
    <Tooltip label={own ? 'You cannot delete yourself' : `Delete ${user.username}`}>
      <ActionIcon
        variant="subtle"
        color="gray"
        aria-label={`Delete ${user.username}`}
        aria-disabled={own}
        style={own ? { opacity: 0.35, cursor: 'not-allowed' } : undefined}
        onClick={() => {
          if (!own) onDelete(user);
        }}
      >
        <Icon name="trash" size={15} />
      </ActionIcon>
    </Tooltip>
  );
}
