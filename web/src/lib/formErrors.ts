import type { UseFormReturnType } from '@mantine/form';
import { mapProblem } from '@/api/problem';

function hasPath(values: unknown, path: string): boolean {
  let at: unknown = values;
  for (const part of path.split('.')) {
    if (typeof at !== 'object' || at === null || !(part in at)) return false;
    at = (at as Record<string, unknown>)[part];
  }
  return true;
}

/** The first field with an error gets the focus, in the order of the page. */
export function focusFirstError(): void {
  window.requestAnimationFrame(() => {
    document.querySelector<HTMLElement>('form [aria-invalid="true"]')?.focus();
  });
}

/**
 * Puts the server's field errors at their fields and gives back what belongs above the form.
 * What was typed stays. `rename` is for fields that are called otherwise in the form.
 */
export function applyProblem<T extends object>(
  form: Pick<UseFormReturnType<T>, 'setErrors' | 'getValues'>,
  error: unknown,
  shown: (path: string) => boolean = () => true,
): string | null {
  const { fields, general } = mapProblem(error, (path) => hasPath(form.getValues(), path) && shown(path));
  form.setErrors(fields);
  if (Object.keys(fields).length > 0) focusFirstError();
  return general;
}
