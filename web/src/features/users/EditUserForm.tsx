import { Button, Group, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { isCode } from '@/api/problem';
import type { UpdateUserRequest, User } from '@/api/types';
import { useUpdateUser } from '@/api/users';
import { Notice } from '@/components/Notice';
import { UnsavedGuard } from '@/components/UnsavedGuard';
import { applyProblem, focusFirstError, keepShownError } from '@/lib/formErrors';
import { notifyDone } from '@/lib/notify';
import { displayNameProblem, passwordProblem, serverNameProblem, slugProblem, usernameProblem } from '@/lib/rules';
import { BecomeAdminDialog } from './BecomeAdminDialog';
import { changedFields, formValues, isEmpty } from './changes';
import { DisplayNameField, PasswordField, RoleField, ServerNameField, SlugField, TemporaryPasswordField, UsernameField } from './fields';
import { UncopiedDialog, useUncopied } from './uncopied';

interface EditUserFormProps {
  user: User;
  /** One's own account: a password that one sets oneself is one's own. */
  own?: boolean;
}

export function EditUserForm({ user, own = false }: EditUserFormProps) {
  const update = useUpdateUser(user.id);
  const [failure, setFailure] = useState<string | null>(null);
  const [confirming, setConfirming] = useState(false);
  const uncopied = useUncopied();
  const form = useForm({
    initialValues: formValues(user, own),
    validateInputOnBlur: true,
    enhanceGetInputProps: keepShownError,
    validate: {
      username: usernameProblem,
      password: (value) => (value === '' ? null : passwordProblem(value)),
      displayName: displayNameProblem,
      loginSlug: slugProblem,
      serverName: (value) => serverNameProblem(value, false),
    },
  });
  // What the form started from: somebody else's later edit must not be undone by saving this one.
  const [baseline, setBaseline] = useState(user);
  const changes = changedFields(baseline, form.values);
  const provisions = baseline.role === 'ADMIN' && form.values.role === 'CUSTOMER';

  const startFrom = (from: User): void => {
    setBaseline(from);
    form.setValues(formValues(from, own));
    form.clearErrors();
  };

  if (user !== baseline && isEmpty(changes)) {
    setBaseline(user);
    if (!isEmpty(changedFields(user, form.values))) form.setValues(formValues(user, own));
  }

  const save = async (body: UpdateUserRequest): Promise<void> => {
    setFailure(null);
    try {
      const saved = await update.mutateAsync(body);
      startFrom(saved);
      setConfirming(false);
      notifyDone('The account was saved.');
    } catch (error) {
      if (isCode(error, 'confirmation_required')) {
        setConfirming(true);
        return;
      }
      setConfirming(false);
      setFailure(applyProblem(form, error, (path) => path !== 'serverName' || provisions));
    }
  };

  const submit = form.onSubmit((values) => {
    const body = changedFields(baseline, values);
    if (isEmpty(body)) return;
    uncopied.guard(values.password, () => {
      if (baseline.role === 'CUSTOMER' && body.role === 'ADMIN') setConfirming(true);
      else void save(body);
    });
  }, focusFirstError);

  return (
    <>
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          {failure !== null && (
            <Notice tone="bad" title="The account was not saved">
              {failure}
            </Notice>
          )}
          <UsernameField form={form} required />
          <PasswordField form={form} help="Empty leaves it unchanged. A new one signs the user out everywhere." uncopied={uncopied} />
          {!own && form.values.password !== '' && <TemporaryPasswordField form={form} />}
          <DisplayNameField form={form} />
          <SlugField form={form} />
          <RoleField form={form} />
          {provisions && <ServerNameField form={form} username={form.values.username} />}
          <Group justify="flex-end" gap="xs">
            {!isEmpty(changes) && (
              <Button
                variant="default"
                onClick={() => {
                  startFrom(user);
                  setFailure(null);
                }}
              >
                Discard changes
              </Button>
            )}
            <Button type="submit" loading={update.isPending && !confirming} disabled={isEmpty(changes)}>
              Save account
            </Button>
          </Group>
        </Stack>
      </form>
      <BecomeAdminDialog
        user={user}
        opened={confirming}
        pending={update.isPending}
        onClose={() => {
          setConfirming(false);
        }}
        onConfirm={() => void save({ ...changes, confirmServerDeletion: user.username })}
      />
      <UncopiedDialog uncopied={uncopied} confirmLabel="Save account" />
      <UnsavedGuard when={!isEmpty(changes)} />
    </>
  );
}
