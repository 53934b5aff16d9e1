import { describe, expect, it } from 'vitest';
import { addEntries, allowlistCsv, checkAllowlistEntry, toEntries } from './allowlist';

describe('checkAllowlistEntry', () => {
  it.each([
    '203.0.113.7', '10.0.0.0/8', '0.0.0.0/0', '::1', '2001:db8::/32', '2001:db8:0:0:0:0:0:1', '::ffff:192.0.2.1', 'fe80::/128', '::',
  ])('accepts %s', (text) => {
    expect(checkAllowlistEntry(text)).toBeNull();
  });

  it.each([
    '10.0.0.300', '10.0.0', '010.0.0.1', 'example.org', '1:2:3', '::1::2', '2001:db8:::1', '12345::', '1:2:3:4:5:6:7:8:9', '',
  ])('refuses %s', (text) => {
    expect(checkAllowlistEntry(text)).toContain('not an IP address');
  });

  it('says what is wrong with a prefix', () => {
    expect(checkAllowlistEntry('10.0.0.0/33')).toContain('0 to 32');
    expect(checkAllowlistEntry('2001:db8::/129')).toContain('0 to 128');
    expect(checkAllowlistEntry('10.0.0.0/')).toContain('0 to 32');
    expect(checkAllowlistEntry('10.0.0.0/8/9')).toContain('slash');
  });
});

describe('addEntries', () => {
  it('splits by comma, semicolon, space and newline', () => {
    const entries = addEntries([], ' 10.0.0.1, 10.0.0.2;10.0.0.3\n10.0.0.4\t10.0.0.5\r\n');
    expect(entries.map((entry) => entry.text)).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5']);
  });

  it('keeps wrong entries, with the reason', () => {
    const entries = addEntries(toEntries(['10.0.0.1']), 'nonsense 10.0.0.2');
    expect(entries).toHaveLength(3);
    expect(entries[1]?.problem).toContain('not an IP address');
    expect(entries[2]?.problem).toBeNull();
  });

  it('adds nothing twice', () => {
    expect(addEntries(toEntries(['2001:db8::1']), '2001:DB8::1 10.0.0.1 10.0.0.1')).toHaveLength(2);
  });

  it('writes CSV', () => {
    expect(allowlistCsv(['10.0.0.1', '10.0.0.2'])).toBe('10.0.0.1,10.0.0.2');
  });
});
