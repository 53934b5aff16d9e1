import createClient from 'openapi-fetch';
import { toApiError, unreachable } from './problem';
import type { paths } from './schema';
import { fetchWithStepUp } from './stepUp';

type Listener = () => void;

let onSessionEnded: Listener | null = null;
let onRestricted: Listener | null = null;

/** Refusals of somebody who is signing in: no session has ended. */
const SIGNING_IN = ['invalid_credentials', 'login_expired', 'passkey_refused', 'temporary_password_expired'];

/** Refusals of somebody who has something to do first: a password to choose, a second factor to add. */
const RESTRICTED = ['password_change_required', 'enrollment_required'];

/** Called whenever an answer says that nobody is signed in (any more). */
export function setSessionEndedListener(listener: Listener | null): void {
  onSessionEnded = listener;
}

/** Called whenever an answer says that a password has to be chosen, or a second factor added, first. */
export function setRestrictedListener(listener: Listener | null): void {
  onRestricted = listener;
}

export const api = createClient<paths>({
  baseUrl: window.location.origin,
  credentials: 'same-origin',
  fetch: fetchWithStepUp,
});

export interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Gives the data or throws an `ApiError`. */
export async function unwrap<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw unreachable();
  }
  if (!answer.response.ok) {
    const error = toApiError(answer.response, answer.error);
    if (error.status === 401 && !SIGNING_IN.includes(error.code)) onSessionEnded?.();
    if (RESTRICTED.includes(error.code)) onRestricted?.();
    throw error;
  }
  return answer.data as T;
}
