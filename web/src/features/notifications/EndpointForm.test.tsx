import { screen } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';
import { ApiError } from '@/api/problem';
import { mockApi } from '@/test/api';
import { anEndpoint } from '@/test/data';
import { show } from '@/test/render';
import { EndpointForm } from './EndpointForm';

describe('EndpointForm', () => {
  it('shows why an URL is refused at its field, and keeps it', async () => {
    mockApi({ 'GET /notifications/events': { body: { items: [{ type: 'license.expired', title: 'Expired', description: 'It is.' }] } } });
    const message = 'Use https://: what is sent there must not be read on the way.';
    const refused = new ApiError(
      422,
      {
        type: 'urn:proxima:problem:validation_failed', title: 'Refused', status: 422, detail: 'Mend the fields.', code: 'validation_failed',
        requestId: 'r', errors: [{ field: 'url', code: 'https_needed', message }],
      },
      'Mend the fields.',
    );
    const onSave = vi.fn(() => Promise.reject(refused));
    const { user } = await show(<EndpointForm kind="WEBHOOK" endpoint={anEndpoint()} submitLabel="Save changes" onSave={onSave} />);
    const url = await screen.findByLabelText('URL');
    await user.clear(url);
    await user.type(url, 'http://hooks.example.com/');
    await user.click(screen.getByRole('button', { name: 'Save changes' }));
    expect(await screen.findByText(message)).toBeInTheDocument();
    expect(url).toBeInvalid();
    expect(url).toHaveValue('http://hooks.example.com/');
  });
});
