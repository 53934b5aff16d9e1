import { describe, expect, it } from 'vitest';
import { mapProblem, toApiError, unreachable, type ApiError } from './problem';
import type { FieldError } from './types';

function refused(errors: FieldError[]): ApiError {
  return toApiError(new Response(null, { status: 422 }), {
    type: 'urn:proxima:problem:validation_failed', title: 'Invalid', status: 422, detail: 'Some fields are wrong.',
    code: 'validation_failed', requestId: 'r', errors,
  });
}

describe('mapProblem', () => {
  it('puts every bad field at its field at once', () => {
    const mapped = mapProblem(
      refused([
        { field: 'username', code: 'taken', message: 'Taken.' },
        { field: 'loginSlug', code: 'reserved', message: 'Reserved.' },
      ]),
      () => true,
    );
    expect(mapped).toEqual({ fields: { username: 'Taken.', loginSlug: 'Reserved.' }, general: null });
  });

  it('turns list positions into form paths', () => {
    const mapped = mapProblem(refused([{ field: 'listeners[2].backendUrl', code: 'x', message: 'Bad.' }]), () => true);
    expect(mapped.fields).toEqual({ 'listeners.2.backendUrl': 'Bad.' });
  });

  it('joins two messages for one field', () => {
    const mapped = mapProblem(
      refused([
        { field: 'password', code: 'short', message: 'Too short.' },
        { field: 'password', code: 'weak', message: 'Too common.' },
      ]),
      () => true,
    );
    expect(mapped.fields).toEqual({ password: 'Too short. Too common.' });
  });

  it('loses no error whose field the form does not show', () => {
    const mapped = mapProblem(refused([{ field: 'other', code: 'x', message: 'Bad.' }]), () => false);
    expect(mapped).toEqual({ fields: {}, general: 'other: Bad.' });
  });

  it('gives the detail when no field is named', () => {
    expect(mapProblem(refused([]), () => true).general).toBe('Some fields are wrong.');
  });
});

describe('toApiError', () => {
  it('copes with answers that are no problem documents', () => {
    const error = toApiError(new Response(null, { status: 502 }), '<html>Bad gateway</html>');
    expect(error).toMatchObject({ status: 502, code: 'unknown', problem: null });
    expect(error.message).not.toContain('html');
  });

  it('has a code of its own for no answer at all', () => {
    expect(unreachable()).toMatchObject({ status: 0, code: 'unreachable' });
  });
});
