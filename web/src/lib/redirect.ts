import type { Role } from '@/api/types';

/** Only a path on this very origin may be returned to; everything else gives null. */
export function safeRedirect(target: unknown, origin: string = window.location.origin): string | null {
  if (typeof target !== 'string' || !target.startsWith('/') || /^\/[/\\]/.test(target)) return null;
  // Browsers drop tabs and newlines inside URLs, so "/\t/evil" would become "//evil".
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\\]/.test(target)) return null;
  let url: URL;
  try {
    url = new URL(target, origin);
  } catch {
    return null;
  }
  if (url.origin !== origin || url.pathname.startsWith('//')) return null;
  if (url.pathname === '/login' || url.pathname.startsWith('/login/')) return null;
  return url.pathname + url.search + url.hash;
}

export function homeOf(role: Role): '/admin/fleet' | '/app' {
  return role === 'ADMIN' ? '/admin/fleet' : '/app';
}

function fits(path: string, role: Role): boolean {
  const pathname = path.split(/[?#]/)[0] ?? path;
  const under = (root: string): boolean => pathname === root || pathname.startsWith(`${root}/`);
  if (under('/admin')) return role === 'ADMIN';
  if (under('/app')) return role === 'CUSTOMER';
  return true;
}

/** Where somebody lands after signing in: where they wanted to go, if that is theirs to see. */
export function landingPath(role: Role, target: unknown): string {
  const wanted = safeRedirect(target);
  return wanted !== null && wanted !== '/' && fits(wanted, role) ? wanted : homeOf(role);
}
