/**
 * Steps that build on each other: after one that failed the others fail at once.
 * @param {import('node:test').TestContext} t
 */
export function steps(t) {
  let broken = false;
  return (/** @type {string} */ name, /** @type {() => Promise<void>} */ act) =>
    t.test(name, async () => {
      if (broken) throw new Error('an earlier step failed');
      try {
        await act();
      } catch (error) {
        broken = true;
        throw error;
      }
    });
}
