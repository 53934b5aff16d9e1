import type { LicenseStatus, Problem } from './types';

/** Anything but the answer we asked for. `status` 0 means that no answer came at all. */
export class ApiError extends Error {
  readonly status: number;
  readonly problem: Problem | null;

  constructor(status: number, problem: Problem | null, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.problem = problem;
  }

  get code(): string {
    return this.problem?.code ?? (this.status === 0 ? 'unreachable' : 'unknown');
  }

  get licenseStatus(): LicenseStatus | null {
    return this.problem?.licenseStatus ?? null;
  }
}

function isProblem(body: unknown): body is Problem {
  return typeof body === 'object' && body !== null && 'code' in body && typeof body.code === 'string';
}

function fallbackMessage(status: number): string {
  if (status === 503) return 'The dashboard is not available right now. Try again in a moment.';
  if (status >= 500) return 'The dashboard ran into an error. Try again in a moment.';
  return `The dashboard refused the request (${status}).`;
}

/** Somebody closed the question whether it is them. */
const NOT_PROVEN = 'Nothing was changed, because you did not confirm that it is you.';

export function toApiError(response: Response, body: unknown): ApiError {
  if (!isProblem(body)) return new ApiError(response.status, null, fallbackMessage(response.status));
  if (body.code === 'step_up_required') return new ApiError(response.status, body, NOT_PROVEN);
  const text = [body.detail, body.title].find((part) => typeof part === 'string' && part !== '');
  return new ApiError(response.status, body, text ?? fallbackMessage(response.status));
}

export function unreachable(): ApiError {
  return new ApiError(0, null, 'The dashboard cannot be reached. Check your connection and try again.');
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : 'Something went wrong.';
}

/** Nothing answers, or what answers cannot do its work just now: asking again may help. */
export function isOutage(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 0 || error.status >= 500);
}

export function isCode(error: unknown, code: string): error is ApiError {
  return error instanceof ApiError && error.code === code;
}

export interface MappedProblem {
  /** Form path to message; `listeners[0].port` becomes `listeners.0.port`. */
  fields: Record<string, string>;
  /** What could not be shown at a field; null when the fields say everything. */
  general: string | null;
}

function formPath(field: string): string {
  return field.replace(/\[(\d+)\]/g, '.$1');
}

/** The one place where a problem becomes form errors. `known` decides which fields the form can show. */
export function mapProblem(error: unknown, known: (path: string) => boolean): MappedProblem {
  const reported = error instanceof ApiError ? (error.problem?.errors ?? []) : [];
  const fields: Record<string, string> = {};
  const leftOver: string[] = [];
  for (const item of reported) {
    const path = formPath(item.field);
    if (!known(path)) leftOver.push(`${item.field}: ${item.message}`);
    else fields[path] = path in fields ? `${fields[path] ?? ''} ${item.message}` : item.message;
  }
  if (leftOver.length > 0) return { fields, general: leftOver.join(' ') };
  return { fields, general: Object.keys(fields).length > 0 ? null : errorMessage(error) };
}
