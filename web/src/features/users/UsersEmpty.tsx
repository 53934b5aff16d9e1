import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { UserFilters } from '@/api/users';
import { EmptyState } from '@/components/States';

export function UsersEmpty({ filters }: { filters: UserFilters }) {
  const { search, role, licenseStatus, serverStatus } = filters;
  const filtered = [search, role, licenseStatus, serverStatus].some((value) => value !== undefined);
  if (filtered) {
    return (
      <EmptyState
        title="No users match"
        action={
          <Button component={Link} to="/admin/users" variant="default">
            Clear filters
          </Button>
        }
      >
        Change or clear the filters to see more.
      </EmptyState>
    );
  }
  return (
    <EmptyState
      title="Only you so far"
      action={
        <Button component={Link} to="/admin/users/new">
          Add your first customer
        </Button>
      }
    >
      One form creates the customer, their server and its license key.
    </EmptyState>
  );
}
