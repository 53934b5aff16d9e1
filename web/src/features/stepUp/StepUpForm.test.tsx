import { screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { mockApi } from '@/test/api';
import { show } from '@/test/render';
import { StepUpForm } from './StepUpForm';

describe('StepUpForm', () => {
  it('says that a code has six digits, and sends nothing else', async () => {
    const api = mockApi({});
    const nothing = (): void => undefined;
    const { user } = await show(<StepUpForm methods={['PASSWORD', 'TOTP']} username="admin" onProven={nothing} onCancel={nothing} />);
    await user.click(screen.getByRole('button', { name: 'Use an authenticator code' }));
    await user.type(screen.getByLabelText('Code from your authenticator app'), '12a');
    await user.click(screen.getByRole('button', { name: 'Confirm' }));
    expect(await screen.findByText('A code has 6 digits.')).toBeInTheDocument();
    expect(screen.getByLabelText('Code from your authenticator app')).toHaveValue('12a');
    expect(api.calls).toHaveLength(0);
  });
});
