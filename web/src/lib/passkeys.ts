import {
  browserSupportsWebAuthn, startAuthentication, startRegistration, WebAuthnError,
  type PublicKeyCredentialCreationOptionsJSON, type PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/browser';
import type { Ceremony, SignedCeremony } from '@/api/access';
import { ApiError } from '@/api/problem';

/** Passkeys belong to a domain: elsewhere the browser refuses them, so they are not offered there. */
export function passkeysUsable(options: { rpId: string | null } | undefined, hostname: string = window.location.hostname): boolean {
  const rpId = options?.rpId;
  if (rpId === null || rpId === undefined || !browserSupportsWebAuthn()) return false;
  return hostname === rpId || hostname.endsWith(`.${rpId}`);
}

/** This page where passkeys work: below the public URL, or without one by the name that they belong to. */
export function passkeysAddress(rpId: string, publicOrigin: string | null, page: URL = new URL(window.location.href)): string {
  const there = new URL(page.pathname, publicOrigin ?? page.origin);
  if (publicOrigin === null) there.hostname = rpId;
  return there.href;
}

/** What passes between the dashboard and the browser is WebAuthn's own; the API's document calls it an object. */
type Credential = SignedCeremony['credential'];

/** Has the browser sign; with `autofill` it waits until a passkey is chosen from the list below the field. */
export async function signWithPasskey({ ceremonyId, publicKey }: Ceremony, autofill = false): Promise<SignedCeremony> {
  const optionsJSON = publicKey as unknown as PublicKeyCredentialRequestOptionsJSON;
  const credential = await startAuthentication({ optionsJSON, useBrowserAutofill: autofill, verifyBrowserAutofillInput: false });
  return { ceremonyId, credential: credential as unknown as Credential };
}

export async function createPasskey({ ceremonyId, publicKey }: Ceremony): Promise<SignedCeremony> {
  const credential = await startRegistration({ optionsJSON: publicKey as unknown as PublicKeyCredentialCreationOptionsJSON });
  return { ceremonyId, credential: credential as unknown as Credential };
}

/** What the browser's refusal means, in words; null when it was not the browser that refused. */
export function passkeyMessage(error: unknown): string | null {
  if (error instanceof ApiError || !(error instanceof Error)) return null;
  const code = error instanceof WebAuthnError ? error.code : '';
  const name = error.name;
  if (code === 'ERROR_AUTHENTICATOR_PREVIOUSLY_REGISTERED' || name === 'InvalidStateError') return 'This device already holds a passkey of yours.';
  if (name === 'NotAllowedError' || name === 'AbortError') return 'The passkey was not used: it was cancelled, or it took too long. Try again.';
  if (name === 'SecurityError') return 'Passkeys do not work at this address. Open the dashboard by its usual name, over HTTPS.';
  return 'The browser could not use the passkey. Try again, or choose another way.';
}
