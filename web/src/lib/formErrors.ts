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
 * A press on a submit button leaves the focus where it is. Otherwise the field that loses it would show its error between
 * press and release, the button would move away from under the pointer, and nothing would be submitted.
 */
export function keepFocusOnSubmit(page: Document = document): void {
  page.addEventListener('mousedown', (event) => {
    if (event.target instanceof Element && event.target.closest('button[type="submit"]') !== null) event.preventDefault();
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

/**
 * For `enhanceGetInputProps`: a message stays until its field is changed. Without it leaving the field would validate
 * again by our own rules, and so take away what only the server knows ("This username is taken").
 */
export function keepShownError({ field, form }: { field: string; form: { errors: Record<string, unknown> } }): object {
  return form.errors[field] === undefined || form.errors[field] === null ? {} : { onBlur: stay };
}

function stay(): void {
  // Nothing to validate: the value is the refused one.
}
