import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { mockApi, problem, type Reply } from '@/test/api';
import { show } from '@/test/render';
import { SettingsForm } from './SettingsForm';

const SETTINGS = { dashboardIpAllowlist: ['203.0.113.7'], outboundAllowlist: [], offlineLimitDays: null, updatedAt: null };

async function form(answer: Reply) {
  const api = mockApi({ 'PUT /settings': answer });
  const { user } = await show(<SettingsForm settings={SETTINGS} />);
  return { api, user };
}

const save = () => screen.getByRole('button', { name: 'Save settings' });
const chips = () => within(screen.getByRole('list', { name: 'Allowlist entries' })).getAllByRole('listitem');

describe('SettingsForm', () => {
  it('splits what is pasted into chips and saves them', async () => {
    const saved = { dashboardIpAllowlist: ['203.0.113.7', '10.0.0.0/8', '::1'], outboundAllowlist: [], offlineLimitDays: 30, updatedAt: null };
    const { api, user } = await form({ body: saved });
    expect(save()).toBeDisabled();
    await user.click(screen.getByLabelText('Add IP addresses or CIDR ranges'));
    await user.paste('10.0.0.0/8, ::1\n203.0.113.7');
    expect(chips()).toHaveLength(3);
    await user.type(screen.getByLabelText('Offline limit in days'), '30');
    await user.click(save());
    await waitFor(() => {
      expect(api.calls[0]?.body).toEqual({
        dashboardIpAllowlist: ['203.0.113.7', '10.0.0.0/8', '::1'],
        outboundAllowlist: [],
        offlineLimitDays: 30,
      });
    });
    await waitFor(() => {
      expect(save()).toBeDisabled();
    });
  });

  it('keeps a wrong entry with its reason and does not send it', async () => {
    const { user } = await form({});
    await user.type(screen.getByLabelText('Add IP addresses or CIDR ranges'), '10.0.0.300{Enter}');
    expect(chips()).toHaveLength(2);
    expect(screen.getByRole('alert')).toHaveTextContent('10.0.0.300 is not an IP address or CIDR range');
    expect(save()).toBeDisabled();
    await user.click(screen.getByRole('button', { name: 'Remove 10.0.0.300' }));
    expect(screen.queryByRole('alert')).not.toBeInTheDocument();
  });

  it('keeps what was typed for the limit, and says what is wrong with it beside a wrong entry', async () => {
    const { api, user } = await form({});
    const limit = screen.getByLabelText('Offline limit in days');
    await user.type(limit, '-3');
    expect(limit).toHaveValue('-3');
    await user.type(screen.getByLabelText('Add private addresses or ranges'), '10.0.0.300{Enter}');
    expect(screen.getByText(/^Use a whole number from 1 to 3650/)).toBeInTheDocument();
    expect(screen.getByRole('alert')).toHaveTextContent('10.0.0.300');
    expect(save()).toBeDisabled();
    await user.click(screen.getByRole('button', { name: 'Remove 10.0.0.300' }));
    for (const [typed, problem] of [['1.5', true], ['3651', true], ['30', false]] as const) {
      await user.clear(limit);
      await user.type(limit, typed);
      expect(limit).toHaveValue(typed);
      expect(screen.queryByText(/^Use a whole number from 1 to 3650/) !== null).toBe(problem);
    }
    expect(api.calls).toHaveLength(0);
  });

  it('marks the entry that the server refuses', async () => {
    const { user } = await form(
      problem({ status: 422, code: 'validation_failed', errors: [{ field: 'dashboardIpAllowlist[1]', code: 'x', message: 'has host bits set' }] }),
    );
    await user.type(screen.getByLabelText('Add IP addresses or CIDR ranges'), '10.0.0.1/8{Enter}');
    await user.click(save());
    expect(await screen.findByRole('alert')).toHaveTextContent('10.0.0.1/8 has host bits set');
  });

  it('saves outbound ranges and marks the one that the server refuses', async () => {
    const { api, user } = await form(
      problem({ status: 422, code: 'validation_failed', errors: [{ field: 'outboundAllowlist[0]', code: 'x', message: 'is too wide' }] }),
    );
    await user.type(screen.getByLabelText('Add private addresses or ranges'), '10.20.0.0/16{Enter}');
    await user.click(save());
    expect(await screen.findByRole('alert')).toHaveTextContent('10.20.0.0/16 is too wide');
    expect(api.calls[0]?.body).toMatchObject({ dashboardIpAllowlist: ['203.0.113.7'], outboundAllowlist: ['10.20.0.0/16'] });
    expect(chips()).toHaveLength(1);
  });
});
