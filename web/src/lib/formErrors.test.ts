import { describe, expect, it } from 'vitest';
import { keepFocusOnSubmit, keepShownError } from './formErrors';

describe('keepShownError', () => {
  it('keeps a message from being validated away when its field is left', () => {
    expect(keepShownError({ field: 'username', form: { errors: { username: 'This username is taken.' } } })).toHaveProperty('onBlur');
  });

  it('leaves fields without a message to the usual validation', () => {
    expect(keepShownError({ field: 'username', form: { errors: { password: 'Too short.' } } })).toEqual({});
  });
});

describe('keepFocusOnSubmit', () => {
  const press = (element: Element): boolean => element.dispatchEvent(new MouseEvent('mousedown', { bubbles: true, cancelable: true }));

  it('takes no focus from a field when a submit button is pressed, wherever on it', () => {
    keepFocusOnSubmit();
    document.body.innerHTML = '<form><button type="submit"><span>Save</span></button><button type="button">Cancel</button></form>';
    const [submit, cancel] = document.querySelectorAll('button');
    expect(press(submit?.querySelector('span') as Element)).toBe(false);
    expect(press(cancel as Element)).toBe(true);
  });
});
