import { Button, Card } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import type { User } from '@/api/types';
import { usersQuery, type UserFilters, type UserSort } from '@/api/users';
import { DataTable } from '@/components/DataTable';
import { AsHeard } from '@/components/HeardAt';
import { Icon } from '@/components/Icon';
import { PageHeader } from '@/components/PageHeader';
import { ErrorState, OutOfDate } from '@/components/States';
import section from '@/components/Section.module.css';
import { useMe } from '@/features/shell/useMe';
import { DeleteUserDialog } from './DeleteUserDialog';
import { useColumnChoice } from './useColumnChoice';
import { userColumns } from './userColumns';
import { UsersEmpty } from './UsersEmpty';
import { UsersFilters } from './UsersFilters';

const route = getRouteApi('/shell/admin/users');

export function UsersPage() {
  const filters = route.useSearch();
  const navigate = useNavigate();
  const me = useMe();
  const users = useInfiniteQuery({ ...usersQuery(filters), refetchInterval: 15_000 });
  const { hidden, setHidden } = useColumnChoice();
  const [deleting, setDeleting] = useState<User | null>(null);

  const rows = users.data?.pages.flatMap((page) => page.items);
  const columns = userColumns({ meId: me.id, onDelete: setDeleting });
  const filter = (change: UserFilters): void => {
    void navigate({ to: '/admin/users', search: { ...filters, ...change }, replace: true });
  };

  return (
    <>
      <PageHeader
        title="Users"
        purpose="Customers with their servers and licenses, and the admins of this dashboard."
        action={
          <Button component={Link} to="/admin/users/new" leftSection={<Icon name="plus" size={14} />}>
            Add User
          </Button>
        }
      />
      <Card className={section.section}>
        <UsersFilters filters={filters} onChange={filter} columns={columns} hidden={hidden} onHidden={setHidden} />
        {users.isError && rows !== undefined && (
          <div style={{ padding: '12px 16px 0' }}>
            <OutOfDate query={users} />
          </div>
        )}
        {users.isError && rows === undefined ? (
          <div style={{ padding: 14 }}>
            <ErrorState what="The users" error={users.error} onRetry={() => void users.refetch()} retrying={users.isFetching} />
          </div>
        ) : (
          <AsHeard query={users}>
            <DataTable
              label="Users"
              columns={columns.filter((column) => !hidden.includes(column.id))}
              rows={rows}
              rowKey={(user) => user.id}
              onRowClick={(user) => void navigate({ to: '/admin/users/$userId', params: { userId: user.id } })}
              sort={filters.sort ?? 'username'}
              onSort={(sort) => {
                filter({ sort: sort === 'username' ? undefined : (sort as UserSort) });
              }}
              empty={<UsersEmpty filters={filters} />}
              more={{
                hasMore: users.hasNextPage,
                loading: users.isFetchingNextPage,
                onMore: () => void users.fetchNextPage(),
                noun: ['user', 'users'],
              }}
            />
          </AsHeard>
        )}
        {rows?.length === 1 && rows[0]?.id === me.id && Object.keys(filters).length === 0 && <UsersEmpty filters={{}} />}
      </Card>
      <DeleteUserDialog
        user={deleting}
        onClose={() => {
          setDeleting(null);
        }}
      />
    </>
  );
}
