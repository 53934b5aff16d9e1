import { Anchor } from '@mantine/core';
import { Link, useNavigate } from '@tanstack/react-router';
import { useCreateUser } from '@/api/users';
import { PageHeader } from '@/components/PageHeader';
import { Section } from '@/components/Section';
import { notifyDone } from '@/lib/notify';
import { AddUserForm } from './AddUserForm';
import classes from './users.module.css';

export function BackToUsers() {
  return (
    <Anchor size="sm" mb={4} display="inline-block" renderRoot={(props) => <Link to="/admin/users" activeOptions={{ exact: true }} {...props} />}>
      ← All users
    </Anchor>
  );
}

export function AddUserPage() {
  const create = useCreateUser();
  const navigate = useNavigate();
  return (
    <div className={classes.narrow}>
      <PageHeader
        title="Add User"
        purpose="One form creates the account and, for a customer, the server and its license key."
        back={<BackToUsers />}
      />
      <Section title="Account">
        <AddUserForm
          pending={create.isPending}
          onSubmit={async (body) => {
            const user = await create.mutateAsync(body);
            notifyDone(
              user.server ? `${user.username} was created with the server ${user.server.name}.` : `${user.username} was created.`,
            );
            await navigate({ to: '/admin/users/$userId', params: { userId: user.id } });
          }}
        />
      </Section>
    </div>
  );
}
