export interface AllowlistEntry {
  text: string;
  /** null when the entry is usable; otherwise what is wrong with it. */
  problem: string | null;
}

function isIpv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

function countGroups(text: string): number | null {
  if (text === '') return 0;
  const groups = text.split(':');
  const last = groups[groups.length - 1] ?? '';
  const hasV4 = last.includes('.');
  if (hasV4 && !isIpv4(last)) return null;
  const hex = hasV4 ? groups.slice(0, -1) : groups;
  return hex.every((group) => /^[0-9a-f]{1,4}$/i.test(group)) ? hex.length + (hasV4 ? 2 : 0) : null;
}

function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (!text.includes(':') || halves.length > 2) return false;
  const counts = halves.map(countGroups);
  if (counts.includes(null)) return false;
  const total = counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  return halves.length === 2 ? total <= 7 : total === 8;
}

export function checkAllowlistEntry(text: string): string | null {
  const [address = '', prefix, ...rest] = text.split('/');
  if (rest.length > 0) return 'has more than one slash';
  const bits = isIpv4(address) ? 32 : isIpv6(address) ? 128 : null;
  if (bits === null) return 'is not an IP address or CIDR range';
  if (prefix === undefined) return null;
  if (!/^(0|[1-9]\d{0,2})$/.test(prefix) || Number(prefix) > bits) return `needs a prefix length from 0 to ${bits}`;
  return null;
}

export function toEntries(texts: readonly string[]): AllowlistEntry[] {
  return texts.map((text) => ({ text, problem: checkAllowlistEntry(text) }));
}

/** Splits whatever was pasted and adds what is new. Wrong entries stay, with the reason. */
export function addEntries(present: readonly AllowlistEntry[], pasted: string): AllowlistEntry[] {
  const seen = new Set(present.map((entry) => entry.text.toLowerCase()));
  const added: AllowlistEntry[] = [];
  for (const text of pasted.split(/[\s,;]+/)) {
    if (text === '' || seen.has(text.toLowerCase())) continue;
    seen.add(text.toLowerCase());
    added.push({ text, problem: checkAllowlistEntry(text) });
  }
  return [...present, ...added];
}

export function allowlistCsv(texts: readonly string[]): string {
  return texts.join(',');
}
