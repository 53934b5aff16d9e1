import { describe, expect, it } from 'vitest';
import { keepShownError } from './formErrors';

describe('keepShownError', () => {
  it('keeps a message from being validated away when its field is left', () => {
    expect(keepShownError({ field: 'username', form: { errors: { username: 'This username is taken.' } } })).toHaveProperty('onBlur');
  });

  it('leaves fields without a message to the usual validation', () => {
    expect(keepShownError({ field: 'username', form: { errors: { password: 'Too short.' } } })).toEqual({});
  });
});
