// Accessibility, as far as a program can judge it.
import { AxeBuilder } from '@axe-core/playwright';
import assert from 'node:assert/strict';

/**
 * @param {import('playwright-core').Page} page
 * @param {string} where
 */
export async function assertAccessible(page, where) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const grave = violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`);
  assert.deepEqual(grave, [], `axe on ${where}`);
}
