// What a browser would run, and the proof that it ran nothing of it.
import assert from 'node:assert/strict';

export const TAG = '<script>window.__xss=1</script>';
export const BREAKER = `"><img src=x onerror=window.__xss=2>`;
export const SINGLE = `'><svg/onload=window.__xss=3>`;
export const LINK = 'javascript:window.__xss=4';
export const CLOSER = '</title></textarea></style>--><b onfocus=__xss=5 autofocus>';
export const TEMPLATE = "{{constructor.constructor('window.__xss=6')()}}${__xss=7}";
export const LONG = `${TAG}${BREAKER}${SINGLE}${CLOSER}`;

/**
 * Nothing of it runs, or became more than text; no report of the content security policy either.
 * @param {import('./browser.js').Person} person
 * @param {string} where
 */
export async function assertInert(person, where) {
  const found = await person.page.evaluate(() => ({
    ran: Reflect.get(window, '__xss') ?? null,
    scripts: document.querySelectorAll('script:not([src])').length,
    images: document.querySelectorAll('img, iframe, object, embed, base').length,
    handlers: [...document.querySelectorAll('*')].filter((element) => element.getAttributeNames().some((name) => name.startsWith('on'))).length,
    links: [...document.querySelectorAll('[href], [src], [action]')].filter((element) => /^\s*javascript:/i.test(element.getAttribute('href') ?? element.getAttribute('src') ?? '')).length,
  }));
  assert.deepEqual(found, { ran: null, scripts: 0, images: 0, handlers: 0, links: 0 }, where);
  person.problems.assertNone(where);
}
