import { afterEach, describe, expect, it, vi } from 'vitest';
import { mockApi, problem } from '@/test/api';
import { api, unwrap } from './client';
import { setStepUpProver } from './stepUp';

const REFUSED = problem({ status: 403, code: 'step_up_required' });
const rename = (name: string) => unwrap(api.PATCH('/api/v1/me', { body: { displayName: name } }));

/** Refuses until somebody has proven themselves. */
function server() {
  const state = { proven: false };
  const mock = mockApi({ 'PATCH /me': ({ body }) => (state.proven ? { body } : REFUSED) });
  return { state, mock };
}

afterEach(() => {
  setStepUpProver(null);
});

describe('a request that needs a fresh proof', () => {
  it('is sent again, with what it carried, once it is given', async () => {
    const { state, mock } = server();
    setStepUpProver(() => {
      state.proven = true;
      return Promise.resolve(true);
    });
    await expect(rename('Marta')).resolves.toEqual({ displayName: 'Marta' });
    expect(mock.sent('PATCH /me')).toHaveLength(2);
  });

  it('stays refused when it is not given', async () => {
    const { mock } = server();
    setStepUpProver(() => Promise.resolve(false));
    await expect(rename('Marta')).rejects.toMatchObject({ code: 'step_up_required' });
    expect(mock.sent('PATCH /me')).toHaveLength(1);
  });

  it('shares one question with others that were refused meanwhile', async () => {
    const { state } = server();
    let give: (proven: boolean) => void = () => undefined;
    const prover = vi.fn(() => new Promise<boolean>((resolve) => (give = resolve)));
    setStepUpProver(prover);
    const both = Promise.all([rename('a'), rename('b')]);
    await vi.waitFor(() => {
      expect(prover).toHaveBeenCalled();
    });
    state.proven = true;
    give(true);
    await both;
    expect(prover).toHaveBeenCalledTimes(1);
  });

  it('does not ask twice for one request', async () => {
    mockApi({ 'PATCH /me': REFUSED });
    const prover = vi.fn(() => Promise.resolve(true));
    setStepUpProver(prover);
    await expect(rename('Marta')).rejects.toMatchObject({ code: 'step_up_required' });
    expect(prover).toHaveBeenCalledTimes(1);
  });

  it('says which ways there are', async () => {
    mockApi({ 'PATCH /me': { status: 403, body: { code: 'step_up_required', methods: ['PASSWORD', 'PASSKEY'] } } });
    const prover = vi.fn(() => Promise.resolve(false));
    setStepUpProver(prover);
    await expect(rename('Marta')).rejects.toThrow();
    expect(prover).toHaveBeenCalledWith(['PASSWORD', 'PASSKEY']);
  });

  it('leaves other refusals alone', async () => {
    mockApi({ 'PATCH /me': problem({ status: 403, code: 'forbidden' }) });
    const prover = vi.fn(() => Promise.resolve(true));
    setStepUpProver(prover);
    await expect(rename('Marta')).rejects.toMatchObject({ code: 'forbidden' });
    expect(prover).not.toHaveBeenCalled();
  });
});
