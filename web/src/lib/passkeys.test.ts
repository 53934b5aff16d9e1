import { describe, expect, it } from 'vitest';
import { passkeysAddress } from './passkeys';

describe('passkeysAddress', () => {
  it('is this page below the public URL', () => {
    const page = new URL('http://10.0.0.5:8080/account/security');
    expect(passkeysAddress('panel.example.com', 'https://panel.example.com', page)).toBe('https://panel.example.com/account/security');
  });

  it('is this page by its other name where there is no public URL', () => {
    const page = new URL('http://127.0.0.1:8080/account/security');
    expect(passkeysAddress('localhost', null, page)).toBe('http://localhost:8080/account/security');
  });
});
