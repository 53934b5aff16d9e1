import createClient from 'openapi-fetch';
import { toApiError, unreachable } from './problem';
import type { paths } from './schema';

type SessionEndedListener = () => void;
let onSessionEnded: SessionEndedListener | null = null;

/** Called whenever an answer says that nobody is signed in (any more). */
export function setSessionEndedListener(listener: SessionEndedListener | null): void {
  onSessionEnded = listener;
}

export const api = createClient<paths>({
  baseUrl: window.location.origin,
  credentials: 'same-origin',
  fetch: (request) => globalThis.fetch(request),
});

interface Answer<T> {
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
    if (error.status === 401 && error.code !== 'invalid_credentials') onSessionEnded?.();
    throw error;
  }
  return answer.data as T;
}
