import { describe, expect, it } from 'vitest';
import { generatePassword } from './password';
import { backendUrlProblem, codeProblem, displayNameProblem, orNull, passwordProblem, portProblem, serverNameProblem, slugProblem, usernameProblem } from './rules';

describe('field rules', () => {
  it('knows usernames and slugs', () => {
    expect(usernameProblem('a.b_c-1')).toBeNull();
    for (const bad of ['', 'a', '.ab', 'Ab', 'a b', 'a'.repeat(33)]) expect(usernameProblem(bad)).not.toBeNull();
    expect(slugProblem('')).toBeNull();
    expect(slugProblem('acme-tv')).toBeNull();
    expect(slugProblem('acme_tv')).not.toBeNull();
  });

  it('counts characters for the minimum and bytes for the maximum of a password', () => {
    expect(passwordProblem('üüüüüüü')).toContain('8 characters');
    expect(passwordProblem('üüüüüüüü')).toBeNull();
    expect(passwordProblem('a'.repeat(72))).toBeNull();
    expect(passwordProblem('ü'.repeat(37))).toContain('74 bytes');
  });

  it('bounds names and refuses control characters', () => {
    expect(displayNameProblem('x'.repeat(65))).not.toBeNull();
    expect(displayNameProblem('a\u0007b')).not.toBeNull();
    expect(serverNameProblem('', false)).toBeNull();
    expect(serverNameProblem(' ', true)).not.toBeNull();
  });

  it('knows ports and backends', () => {
    expect(portProblem(80)).toBeNull();
    for (const bad of ['', 0, 65_536, 1.5]) expect(portProblem(bad)).not.toBeNull();
    for (const good of ['http://10.0.0.1:8000', 'http://backend', 'http://[2001:db8::1]:80/', 'https://backend']) expect(backendUrlProblem(good)).toBeNull();
    for (const bad of ['', '10.0.0.1', 'ftp://a', 'http://a/path', 'http://u:p@a', 'http://a?x=1']) {
      expect(backendUrlProblem(bad)).not.toBeNull();
    }
  });

  it('takes six digits as a code, however an app groups them', () => {
    for (const code of ['123456', '123 456', ' 123456 ']) expect(codeProblem(code)).toBeNull();
    for (const code of ['12a', '12345', '1234567', '12345a']) expect(codeProblem(code)).toBe('A code has 6 digits.');
    expect(codeProblem(' ')).toBe('Enter the code.');
  });

  it('sends nothing for a blank optional field', () => {
    expect(orNull('  ')).toBeNull();
    expect(orNull(' a ')).toBe('a');
  });

  it('generates passwords that its own rules accept, never the same', () => {
    const passwords = new Set(Array.from({ length: 50 }, () => generatePassword()));
    expect(passwords.size).toBe(50);
    for (const password of passwords) {
      expect(password).toHaveLength(20);
      expect(passwordProblem(password)).toBeNull();
    }
  });
});
