// One page as it is: in both themes, wide and narrow.
import { assertAccessible } from './axe.js';
import { assertNoSidewaysScroll, DESKTOP, PHONE } from './browser.js';
import { picture } from './pictures.js';

/**
 * @param {import('playwright-core').Page} page
 * @param {string} name
 */
export async function look(page, name) {
  for (const [theme, width, viewport] of /** @type {const} */ ([['light', '1280', DESKTOP], ['dark', '390', PHONE]])) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    await page.setViewportSize(viewport);
    await assertNoSidewaysScroll(page, `${name}, ${width} px`);
    await assertAccessible(page, `${name}, ${theme}`);
    await picture(page, `pages/${name}-${theme}-${width}`, { published: false });
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  await page.setViewportSize(DESKTOP);
}
