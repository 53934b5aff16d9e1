import { describe, expect, it } from 'vitest';
import { aConnection } from '@/test/data';
import { addressBody, connectValues, hostProblem, loginBody, needsSecret, privateKeyProblem, type ConnectValues } from './form';

const typed: ConnectValues = {
  ...connectValues(aConnection()),
  password: 'p',
  privateKey: '-----BEGIN OPENSSH PRIVATE KEY-----',
  passphrase: 'f',
};

describe('what is sent', () => {
  it('has no secret in the address', () => {
    expect(addressBody({ ...typed, host: ' VPS.example.com ' })).toEqual({ host: 'VPS.example.com', port: 22, user: 'root' });
  });

  it('has only what belongs to the chosen way to log in', () => {
    expect(loginBody(typed)).toEqual({ host: '203.0.113.7', port: 22, user: 'root', password: 'p' });
    expect(loginBody({ ...typed, method: 'PRIVATE_KEY', sudoPassword: 's' })).toEqual({
      host: '203.0.113.7', port: 22, user: 'root', privateKey: typed.privateKey, passphrase: 'f', sudoPassword: 's',
    });
  });

  it('leaves out what was left empty, so that it stays stored', () => {
    expect(loginBody(connectValues(aConnection()))).toEqual({ host: '203.0.113.7', port: 22, user: 'root' });
  });
});

describe('needsSecret', () => {
  it('asks again for another host or port, which forgets the stored login', () => {
    const stored = connectValues(aConnection());
    expect(needsSecret(aConnection(), stored)).toBe(false);
    expect(needsSecret(aConnection(), { ...stored, user: 'admin' })).toBe(false);
    expect(needsSecret(aConnection(), { ...stored, host: '203.0.113.8' })).toBe(true);
    expect(needsSecret(aConnection(), { ...stored, port: 2222 })).toBe(true);
    expect(needsSecret(aConnection({ credential: null }), stored)).toBe(true);
  });
});

describe('rules', () => {
  it.each([
    ['', /^Paste/],
    ['ssh-ed25519 AAAA me@laptop', /public key/],
    ['PuTTY-User-Key-File-3: ssh-ed25519', /PuTTYgen/],
    ['hello', /begins with/],
    ['\n-----BEGIN OPENSSH PRIVATE KEY-----\n', null],
  ])('private key %j', (text, expected) => {
    const problem = privateKeyProblem(text);
    if (expected === null) expect(problem).toBeNull();
    else expect(problem).toMatch(expected);
  });

  it('wants the host alone', () => {
    expect(hostProblem('ssh://vps')).toMatch(/host alone/);
    expect(hostProblem('root@vps')).toMatch(/host alone/);
    expect(hostProblem(' 2001:db8::1 ')).toBeNull();
  });
});
