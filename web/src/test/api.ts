import { vi } from 'vitest';
import type { FieldError, LicenseStatus } from '@/api/types';

export interface Call {
  method: string;
  path: string;
  query: URLSearchParams;
  body: unknown;
}

export interface Reply {
  status?: number;
  body?: unknown;
}

type Handler = Reply | ((call: Call) => Reply | Promise<Reply>);

/** Answers `METHOD /path` below /api/v1 and remembers what was asked. */
export function mockApi(handlers: Record<string, Handler>): { calls: Call[]; sent: (key: string) => Call[]; handlers: Record<string, Handler> } {
  const calls: Call[] = [];
  const answer = async (request: Request): Promise<Response> => {
    const url = new URL(request.url);
    const text = await request.text();
    const call: Call = {
      method: request.method,
      path: url.pathname.replace('/api/v1', ''),
      query: url.searchParams,
      body: text === '' ? undefined : JSON.parse(text),
    };
    calls.push(call);
    const handler = handlers[`${call.method} ${call.path}`];
    if (handler === undefined) throw new Error(`Nothing answers ${call.method} ${call.path}`);
    const { status = 200, body } = typeof handler === 'function' ? await handler(call) : handler;
    return new Response(body === undefined ? null : JSON.stringify(body), {
      status,
      headers: { 'content-type': status >= 400 ? 'application/problem+json' : 'application/json' },
    });
  };
  vi.stubGlobal('fetch', vi.fn(answer));
  return {
    calls,
    handlers,
    sent: (key) => calls.filter((call) => `${call.method} ${call.path}` === key),
  };
}

interface ProblemParts {
  status: number;
  code: string;
  detail?: string;
  errors?: FieldError[];
  licenseStatus?: LicenseStatus;
}

export function problem({ status, code, detail = 'It was refused.', ...rest }: ProblemParts): Reply {
  return {
    status,
    body: { type: `urn:proxima:problem:${code}`, title: 'Refused', status, detail, code, requestId: 'r-1', ...rest },
  };
}
