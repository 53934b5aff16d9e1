/** The server decides; these mirrors only say it earlier, when a field is left. */
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

export const PASSWORD_MIN_CHARACTERS = 8;
export const PASSWORD_MAX_BYTES = 72;

const characters = (text: string): number => Array.from(text).length;

export function passwordBytes(text: string): number {
  return new TextEncoder().encode(text).length;
}

export function usernameProblem(value: string): string | null {
  if (value === '') return 'Enter a username.';
  if (/^[a-z0-9][a-z0-9._-]{1,31}$/.test(value)) return null;
  return 'Use 2 to 32 lower-case letters, digits, dots, dashes or underscores, starting with a letter or digit.';
}

export function slugProblem(value: string): string | null {
  if (value === '' || /^[a-z0-9][a-z0-9-]{1,31}$/.test(value)) return null;
  return 'Use 2 to 32 lower-case letters, digits or dashes, starting with a letter or digit.';
}

export function passwordProblem(value: string): string | null {
  if (value === '') return 'Enter a password.';
  if (characters(value) < PASSWORD_MIN_CHARACTERS) return `Use at least ${PASSWORD_MIN_CHARACTERS} characters.`;
  const bytes = passwordBytes(value);
  if (bytes > PASSWORD_MAX_BYTES) return `Too long: ${bytes} bytes, at most ${PASSWORD_MAX_BYTES} are allowed.`;
  return null;
}

/** What a new password may be, and what it is so far. */
export function passwordHint(value: string): string {
  const rule = `At least ${PASSWORD_MIN_CHARACTERS} characters, at most ${PASSWORD_MAX_BYTES} bytes.`;
  return value === '' ? rule : `${rule} Now ${characters(value)} characters, ${passwordBytes(value)} bytes.`;
}

export function displayNameProblem(value: string): string | null {
  if (characters(value) > 64) return 'Use at most 64 characters.';
  return CONTROL.test(value) ? 'Control characters are not allowed here.' : null;
}

/** `required` is false where an empty name means "use the default". */
export function serverNameProblem(value: string, required: boolean): string | null {
  if (value.trim() === '') return required ? 'Enter a name.' : null;
  return displayNameProblem(value);
}

export function portProblem(value: number | string): string | null {
  if (value === '') return 'Enter a port.';
  const port = Number(value);
  return Number.isInteger(port) && port >= 1 && port <= 65_535 ? null : 'Use a port from 1 to 65535.';
}

export function backendUrlProblem(value: string): string | null {
  if (value.trim() === '') return 'Enter the URL of your backend.';
  const form = 'Use the form http://host:port or https://host:port.';
  if (!URL.canParse(value)) return form;
  const url = new URL(value);
  if (!['http:', 'https:'].includes(url.protocol) || url.hostname === '') return form;
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') return 'Only host and port: paths are passed on as they come.';
  return url.username !== '' || url.password !== '' ? 'A user name or password is not allowed here.' : null;
}

/** A code from an authenticator app, which may show it as `123 456`. */
export function codeProblem(value: string): string | null {
  const code = value.replace(/\s/g, '');
  if (code === '') return 'Enter the code.';
  return /^\d{6}$/.test(code) ? null : 'A code has 6 digits.';
}

/** null becomes no message, as forms want it. */
export const orNone = (problem: string | null): string | undefined => problem ?? undefined;

/** An empty optional field is sent as null. */
export const orNull = (text: string): string | null => (text.trim() === '' ? null : text.trim());
