import { Skeleton } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { Fleet } from '@/api/types';
import type { UserFilters } from '@/api/users';
import { StatusDot } from '@/components/StatusDot';
import type { Tone } from '@/lib/words';
import classes from './FleetTiles.module.css';

interface Tile {
  key: keyof Fleet['counts'];
  label: string;
  tone: Tone | null;
  filters: UserFilters;
}

const TILES: Tile[] = [
  { key: 'total', label: 'All servers', tone: null, filters: { role: 'CUSTOMER' } },
  { key: 'online', label: 'Online', tone: 'ok', filters: { serverStatus: 'ONLINE' } },
  { key: 'offline', label: 'Offline', tone: 'bad', filters: { serverStatus: 'OFFLINE' } },
  { key: 'keyRetired', label: 'Stopped: key retired', tone: 'bad', filters: { serverStatus: 'KEY_RETIRED' } },
  { key: 'grace', label: 'In grace', tone: 'warn', filters: { licenseStatus: 'GRACE' } },
  { key: 'stopped', label: 'Stopped by license', tone: 'warn', filters: { serverStatus: 'STOPPED_BY_LICENSE' } },
  { key: 'installing', label: 'Installing', tone: 'busy', filters: { serverStatus: 'INSTALLING' } },
  { key: 'notInstalled', label: 'Not installed', tone: 'idle', filters: { serverStatus: 'NOT_INSTALLED' } },
];

/** Shown while there is one: a server is seldom in these states, and not for long. */
const RARE = new Set<Tile['key']>(['installing', 'keyRetired']);

export function FleetTiles({ counts }: { counts: Fleet['counts'] | undefined }) {
  const tiles = TILES.filter(({ key }) => !RARE.has(key) || (counts?.[key] ?? 0) > 0);
  return (
    <ul className={classes.tiles} aria-label="Servers by state">
      {tiles.map((tile) => (
        <li key={tile.key}>
          <Link to="/admin/users" search={tile.filters} className={classes.tile}>
            <div className={classes.label}>
              {tile.tone === null ? tile.label : <StatusDot tone={tile.tone} label={tile.label} />}
            </div>
            <div className={classes.value}>
              {counts === undefined ? <Skeleton height={20} my={4} width={36} radius="xs" /> : counts[tile.key]}
            </div>
          </Link>
        </li>
      ))}
    </ul>
  );
}
