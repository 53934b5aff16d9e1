import { describe, expect, it } from 'vitest';
import { aConnection, NO_CONNECTION } from '@/test/data';
import { addressText, compareCommand, refusal, stageOf } from './stage';

const UNSEEN = { hostKey: null, shownHostKey: null, hostKeyState: 'NONE' } as const;

describe('stageOf', () => {
  it.each([
    ['nothing saved', NO_CONNECTION, 'ADDRESS'],
    ['a host that was never seen', aConnection(UNSEEN), 'ADDRESS'],
    ['a host key that waits', aConnection({ hostKey: null, hostKeyState: 'UNCONFIRMED' }), 'CONFIRM'],
    ['no login stored', aConnection({ credential: null }), 'LOGIN'],
    ['everything there', aConnection(), 'READY'],
    ['another host key, whatever is stored', aConnection({ hostKeyState: 'CHANGED' }), 'CHANGED'],
  ])('%s', (_, connection, stage) => {
    expect(stageOf(connection)).toBe(stage);
  });
});

describe('refusal', () => {
  it('lets nothing begin that could not, and says why', () => {
    expect(refusal(aConnection(), false)).toBeUndefined();
    expect(refusal(aConnection(), true)).toMatch(/^Wait/);
    expect(refusal(NO_CONNECTION, false)).toMatch(/^This dashboard cannot log in/);
    expect(refusal(aConnection({ hostKeyState: 'CHANGED' }), false)).toMatch(/has changed/);
    expect(refusal(aConnection({ hostKeyState: 'UNCONFIRMED' }), false)).toMatch(/^Confirm/);
  });
});

describe('words for people', () => {
  it('names the file of the very key that was shown', () => {
    expect(compareCommand('ssh-ed25519')).toBe('ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub');
    expect(compareCommand('rsa-sha2-512')).toBe('ssh-keygen -lf /etc/ssh/ssh_host_rsa_key.pub');
    expect(compareCommand('ecdsa-sha2-nistp256')).toBe('ssh-keygen -lf /etc/ssh/ssh_host_ecdsa_key.pub');
  });

  it('writes addresses as people type them', () => {
    expect(addressText(aConnection())).toBe('root@203.0.113.7');
    expect(addressText(aConnection({ port: 2222 }))).toBe('root@203.0.113.7:2222');
    expect(addressText(aConnection({ host: '2001:db8::1', port: 2222 }))).toBe('root@[2001:db8::1]:2222');
  });
});
