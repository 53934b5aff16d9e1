import type { UpdateUserRequest, User } from '@/api/types';
import { orNull } from '@/lib/rules';
import type { UserFormValues } from './fields';

/** A password for somebody else is to be replaced by theirs, unless that is unticked. */
export function formValues(user: User, own: boolean): UserFormValues {
  return {
    username: user.username,
    password: '',
    temporaryPassword: !own,
    displayName: user.displayName ?? '',
    loginSlug: user.loginSlug ?? '',
    role: user.role,
    serverName: '',
  };
}

/** Only what was changed is sent; an empty password means that it stays. */
export function changedFields(user: User, values: UserFormValues): UpdateUserRequest {
  const changes: UpdateUserRequest = {};
  if (values.username !== user.username) changes.username = values.username;
  if (values.password !== '') {
    changes.password = values.password;
    if (values.temporaryPassword) changes.temporaryPassword = true;
  }
  if (orNull(values.displayName) !== (user.displayName ?? null)) changes.displayName = orNull(values.displayName);
  if (orNull(values.loginSlug) !== (user.loginSlug ?? null)) changes.loginSlug = orNull(values.loginSlug);
  if (values.role !== user.role) {
    changes.role = values.role;
    if (values.role === 'CUSTOMER') changes.serverName = orNull(values.serverName);
  }
  return changes;
}

export function isEmpty(changes: UpdateUserRequest): boolean {
  return Object.keys(changes).length === 0;
}
