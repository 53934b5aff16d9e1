import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import type { AuthenticationResponseJSON, PublicKeyCredentialCreationOptionsJSON, PublicKeyCredentialRequestOptionsJSON, RegistrationResponseJSON } from '@simplewebauthn/browser';
import { loose, unwrap } from './client';
import { meQuery, sessionsQuery } from './session';
import type { Me } from './types';

export type FactorMethod = 'TOTP' | 'PASSKEY' | 'RECOVERY_CODE';
export type ProofMethod = 'PASSWORD' | 'TOTP' | 'PASSKEY';

export interface AuthOptions {
  passkeys: boolean;
  rpId: string | null;
  passkeysReason: string | null;
}

/** The password was right; a half session waits for the rest. */
export interface SecondFactorNeeded {
  methods: FactorMethod[];
  expiresAt: string;
}

export interface Ceremony<Options> {
  ceremonyId: string;
  publicKey: Options;
  expiresAt: string;
}

export type SignCeremony = Ceremony<PublicKeyCredentialRequestOptionsJSON>;
export type AddCeremony = Ceremony<PublicKeyCredentialCreationOptionsJSON>;

export interface SignedCeremony {
  ceremonyId: string;
  credential: AuthenticationResponseJSON;
}

export type SecondFactorProof = { method: 'TOTP' | 'RECOVERY_CODE'; code: string } | ({ method: 'PASSKEY' } & SignedCeremony);
export type StepUpProof =
  | { method: 'PASSWORD'; password: string }
  | { method: 'TOTP'; code: string }
  | ({ method: 'PASSKEY' } & SignedCeremony);

export interface Passkey {
  id: string;
  name: string;
  createdAt: string;
  lastUsedAt: string | null;
  synced: boolean;
}

export interface Security {
  secondFactorRequired: boolean;
  steppedUpUntil: string | null;
  totp: { createdAt: string; lastUsedAt: string | null } | null;
  passkeysAvailable: boolean;
  passkeysReason: string | null;
  rpId: string | null;
  passkeys: Passkey[];
  recoveryCodes: { left: number; madeAt: string } | null;
}

export interface TotpEnrollment {
  secret: string;
  uri: string;
  qrSvg: string;
  expiresAt: string;
}

export interface UserSecondFactor {
  enrolled: boolean;
  required: boolean;
  totp: boolean;
  passkeys: number;
  recoveryCodesLeft: number;
}

export const authOptionsQuery = queryOptions({
  queryKey: ['auth-options'],
  queryFn: ({ signal }) => unwrap(loose.GET<AuthOptions>('/api/v1/auth/options', { signal })),
  staleTime: 600_000,
  retry: false,
});

export const securityQuery = queryOptions({
  queryKey: ['me', 'security'],
  queryFn: ({ signal }) => unwrap(loose.GET<Security>('/api/v1/me/security', { signal })),
});

export function userSecondFactorQuery(userId: string) {
  return queryOptions({
    queryKey: ['users', 'second-factor', userId],
    queryFn: ({ signal }) =>
      unwrap(loose.GET<UserSecondFactor>('/api/v1/users/{userId}/second-factor', { params: { path: { userId } }, signal })),
  });
}

// ---- signing in ----

export const beginPasskeySignIn = (): Promise<SignCeremony> => unwrap(loose.POST<SignCeremony>('/api/v1/auth/passkey/options', { body: {} }));

export const finishPasskeySignIn = (body: SignedCeremony & { slug?: string }): Promise<Me> =>
  unwrap(loose.POST<Me>('/api/v1/auth/passkey', { body }));

export const beginSecondFactorPasskey = (): Promise<SignCeremony> =>
  unwrap(loose.POST<SignCeremony>('/api/v1/auth/second-factor/passkey'));

export const proveSecondFactor = (body: SecondFactorProof): Promise<Me> => unwrap(loose.POST<Me>('/api/v1/auth/second-factor', { body }));

// ---- proving again ----

export const beginStepUpPasskey = (): Promise<SignCeremony> => unwrap(loose.POST<SignCeremony>('/api/v1/auth/step-up/passkey'));

export const stepUp = (body: StepUpProof): Promise<{ steppedUpUntil: string }> =>
  unwrap(loose.POST<{ steppedUpUntil: string }>('/api/v1/auth/step-up', { body }));

// ---- one's own factors ----

export const beginTotp = (): Promise<TotpEnrollment> => unwrap(loose.POST<TotpEnrollment>('/api/v1/me/totp'));

export const beginPasskey = (): Promise<AddCeremony> => unwrap(loose.POST<AddCeremony>('/api/v1/me/passkeys/options'));

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

export interface NewCodes {
  recoveryCodes: string[] | null;
}

export const useConfirmTotp = () =>
  useFactorChange((code: string) => unwrap(loose.POST<NewCodes>('/api/v1/me/totp/confirm', { body: { code } })));

export const useRemoveTotp = () => useFactorChange(() => unwrap(loose.DELETE<undefined>('/api/v1/me/totp')));

export const useAddPasskey = () =>
  useFactorChange((body: { ceremonyId: string; name: string; credential: RegistrationResponseJSON }) =>
    unwrap(loose.POST<NewCodes & { passkey: Passkey }>('/api/v1/me/passkeys', { body })),
  );

export const useRenamePasskey = () =>
  useFactorChange(({ passkeyId, name }: { passkeyId: string; name: string }) =>
    unwrap(loose.PATCH<Passkey>('/api/v1/me/passkeys/{passkeyId}', { params: { path: { passkeyId } }, body: { name } })),
  );

export const useRemovePasskey = () =>
  useFactorChange((passkeyId: string) =>
    unwrap(loose.DELETE<undefined>('/api/v1/me/passkeys/{passkeyId}', { params: { path: { passkeyId } } })),
  );

export const useMakeRecoveryCodes = () =>
  useFactorChange(() => unwrap(loose.POST<{ recoveryCodes: string[] }>('/api/v1/me/recovery-codes')));

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
    mutationFn: () => unwrap(loose.DELETE<undefined>('/api/v1/users/{userId}/second-factor', { params: { path: { userId } } })),
    onSettled: () => client.invalidateQueries({ queryKey: userSecondFactorQuery(userId).queryKey }),
  });
}
