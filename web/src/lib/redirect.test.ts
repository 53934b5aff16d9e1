import { describe, expect, it } from 'vitest';
import { landingPath, safeRedirect } from './redirect';

describe('safeRedirect', () => {
  it.each(['/admin/users?search=a#b', '/app', '/'])('lets %s through', (path) => {
    expect(safeRedirect(path)).toBe(path);
  });

  it.each([
    '//evil.example', '/\\evil.example', '\\\\evil.example', 'https://evil.example/', 'javascript:alert(1)', '/\t/evil.example',
    '/\n//evil.example', 'evil.example', '', '/..//evil.example', '/login', '/login/acme?redirect=/app', ' /app',
  ])('refuses %j', (target) => {
    expect(safeRedirect(target)).toBeNull();
  });

  it.each([undefined, null, 5, ['/app'], {}])('refuses %j, which is no text', (target) => {
    expect(safeRedirect(target)).toBeNull();
  });
});

describe('landingPath', () => {
  it('goes where one wanted to go', () => {
    expect(landingPath('ADMIN', '/admin/audit?actor=x')).toBe('/admin/audit?actor=x');
    expect(landingPath('CUSTOMER', '/account')).toBe('/account');
  });

  it('goes home rather than to a page of the other role', () => {
    expect(landingPath('CUSTOMER', '/admin/users')).toBe('/app');
    expect(landingPath('ADMIN', '/app/servers/1')).toBe('/admin/fleet');
  });

  it('goes home without a usable wish', () => {
    expect(landingPath('ADMIN', undefined)).toBe('/admin/fleet');
    expect(landingPath('CUSTOMER', 'https://evil.example')).toBe('/app');
  });
});
