// Pictures, made only when asked for: some for the documentation, the others for whoever judges the design.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

const PICTURES = process.env.PROXIMA_SCREENSHOTS === '1';
export const PUBLISHED = join(import.meta.dirname, '../../docs/screenshots');
export const KEPT = join(import.meta.dirname, '../../.cache/screenshots');

/**
 * @param {import('playwright-core').Page} page
 * @param {string} name such as `tour/03-form-errors`
 * @param {{ published?: boolean }} [options]
 */
export async function picture(page, name, { published = true } = {}) {
  if (!PICTURES) return;
  const path = join(published ? PUBLISHED : KEPT, `${name}.png`);
  mkdirSync(join(path, '..'), { recursive: true });
  await page.screenshot({ path, animations: 'disabled', caret: 'hide' });
}
