import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from './client';
import type { components } from './schema';
import { meQuery, sessionsQuery } from './session';
import type { Me, SecondFactorRequest, StepUpRequest } from './types';

type Schemas = components['schemas'];
export type Ceremony = Schemas['Ceremony'];
/** What the browser signed, as the document describes it. */
export type SignedCeremony = Omit<Schemas['PasskeyLoginRequest'], 'slug'>;

export const authOptionsQuery = queryOptions({
  queryKey: ['auth-options'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/v1/auth/options', { signal })),
  staleTime: 600_000,
  retry: false,
});

export const securityQuery = queryOptions({
  queryKey: ['me', 'security'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/v1/me/security', { signal })),
});

export function userSecondFactorQuery(userId: string) {
  return queryOptions({
    queryKey: ['users', 'second-factor', userId],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/v1/users/{userId}/second-factor', { params: { path: { userId } }, signal })),
  });
}

// ---- signing in ----

export const beginPasskeySignIn = (): Promise<Ceremony> => unwrap(api.POST('/api/v1/auth/passkey/options'));

export const finishPasskeySignIn = (body: Schemas['PasskeyLoginRequest']): Promise<Me> =>
  unwrap(api.POST('/api/v1/auth/passkey', { body }));

export const beginSecondFactorPasskey = (): Promise<Ceremony> =>
  unwrap(api.POST('/api/v1/auth/second-factor/passkey'));

export const proveSecondFactor = (body: SecondFactorRequest): Promise<Me> => unwrap(api.POST('/api/v1/auth/second-factor', { body }));

// ---- proving again ----

export const beginStepUpPasskey = (): Promise<Ceremony> => unwrap(api.POST('/api/v1/auth/step-up/passkey'));

export const stepUp = (body: StepUpRequest): Promise<Schemas['SteppedUp']> =>
  unwrap(api.POST('/api/v1/auth/step-up', { body }));

// ---- one's own factors ----

export const beginTotp = (): Promise<Schemas['TotpEnrollment']> => unwrap(api.POST('/api/v1/me/totp'));

export const beginPasskey = (): Promise<Ceremony> => unwrap(api.POST('/api/v1/me/passkeys/options'));

/** A change of the factors is told to everything that shows them. `me` is left to whoever leads on from there. */
function useFactorChange<Body, Answer>(change: (body: Body) => Promise<Answer>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    // Recovery codes are kept in no cache.
    gcTime: 0,
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: securityQuery.queryKey });
      void client.invalidateQueries({ queryKey: sessionsQuery.queryKey });
    },
  });
}

export const useConfirmTotp = () =>
  useFactorChange((code: string) => unwrap(api.POST('/api/v1/me/totp/confirm', { body: { code } })));

export const useRemoveTotp = () => useFactorChange(() => unwrap(api.DELETE('/api/v1/me/totp')));

export const useAddPasskey = () =>
  useFactorChange((body: Schemas['AddPasskeyRequest']) =>
    unwrap(api.POST('/api/v1/me/passkeys', { body })),
  );

export const useRenamePasskey = () =>
  useFactorChange(({ passkeyId, name }: { passkeyId: string; name: string }) =>
    unwrap(api.PATCH('/api/v1/me/passkeys/{passkeyId}', { params: { path: { passkeyId } }, body: { name } })),
  );

export const useRemovePasskey = () =>
  useFactorChange((passkeyId: string) =>
    unwrap(api.DELETE('/api/v1/me/passkeys/{passkeyId}', { params: { path: { passkeyId } } })),
  );

export const useMakeRecoveryCodes = () =>
  useFactorChange(() => unwrap(api.POST('/api/v1/me/recovery-codes')));

/** Asks again who one is: a first factor makes an ordinary session of one that could only enrol. */
export function useRefreshMe(): () => Promise<void> {
  const client = useQueryClient();
  return async () => {
    // Asked for, not only marked as old: on the enrolment page nothing else watches it.
    await client.query({ ...meQuery, staleTime: 0 });
  };
}

export function useResetSecondFactor(userId: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => unwrap(api.DELETE('/api/v1/users/{userId}/second-factor', { params: { path: { userId } } })),
    onSettled: () => client.invalidateQueries({ queryKey: userSecondFactorQuery(userId).queryKey }),
  });
}

export function useSignOutUser(userId: string) {
  return useMutation({
    mutationFn: () => unwrap(api.DELETE('/api/v1/users/{userId}/sessions', { params: { path: { userId } } })),
  });
}
