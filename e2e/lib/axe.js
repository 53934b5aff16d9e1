// Accessibility, as far as a program can judge it.
import { AxeBuilder } from '@axe-core/playwright';
import assert from 'node:assert/strict';

/**
 * @param {import('playwright-core').Page} page
 * @param {string} where
 */
export async function assertAccessible(page, where) {
  // The legacy mode looks at one document only, which is all there is here, and takes half the time.
  const { violations } = await new AxeBuilder({ page }).options({ resultTypes: ['violations'] }).setLegacyMode(true).analyze();
  const grave = violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`);
  assert.deepEqual(grave, [], `axe on ${where}`);
}
