import { screen, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { Endpoint } from '@/api/types';
import { mockApi } from '@/test/api';
import { anEndpoint, SERVER_ID, USER_ID } from '@/test/data';
import { show } from '@/test/render';
import { FleetPage } from './FleetPage';

const COUNTS = { total: 2, online: 2, offline: 0, grace: 0, expired: 0, stopped: 0, keyRetired: 0, notInstalled: 0, installing: 0 };
const RETIRED = {
  serverId: SERVER_ID, serverName: 'Edge', userId: USER_ID, username: 'acme', kind: 'KEY_RETIRED', since: null, detail: 'Install it again.',
};

async function fleet(endpoints: Endpoint[], attention: object[] = [], counts: object = COUNTS) {
  mockApi({
    'GET /fleet': { body: { counts, attention } },
    'GET /notifications/endpoints': { body: { items: endpoints } },
  });
  await show(<FleetPage />);
}

const row = async (name: string) => (await screen.findByText(name)).closest('tr') as HTMLElement;

describe('FleetPage', () => {
  it('says that nothing needs attention only while notifications arrive', async () => {
    await fleet([anEndpoint()]);
    expect(await screen.findByText('Nothing needs attention')).toBeInTheDocument();
  });

  it('counts an endpoint that fails, also without any server', async () => {
    const failing = anEndpoint({ description: 'Pager', failingSince: '2025-11-21T20:30:00Z' });
    await fleet([failing], [], { ...COUNTS, total: 0, online: 0 });
    expect(within(await row('Pager')).getByText('Notifications failing')).toBeInTheDocument();
    expect(screen.queryByText('Nothing needs attention')).not.toBeInTheDocument();
    expect(screen.getByText('No servers yet')).toBeInTheDocument();
  });

  it('has a tile for gateways whose key was retired while there is one', async () => {
    await fleet([], [RETIRED], { ...COUNTS, online: 1, keyRetired: 1 });
    expect(within(await row('Edge')).getByText('Stopped: key retired')).toBeInTheDocument();
    const tiles = within(screen.getByRole('list', { name: 'Servers by state' }));
    expect(tiles.getByRole('link', { name: /Stopped: key retired/ })).toHaveTextContent('1');
  });

  it('has no such tile otherwise', async () => {
    await fleet([]);
    await screen.findByText('Nothing needs attention');
    expect(screen.queryByText('Stopped: key retired')).not.toBeInTheDocument();
  });
});
