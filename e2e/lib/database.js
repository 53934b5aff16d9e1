// A fresh database on the server that DATABASE_URL names.
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { isInstalled, run } from './process.js';

function findPsql() {
  if (isInstalled('psql')) return 'psql';
  const base = '/usr/lib/postgresql';
  const newest = readdirSync(base).sort((a, b) => Number(b) - Number(a))[0];
  return `${base}/${newest}/bin/psql`;
}

/**
 * @param {string} serverUrl
 * @returns {Promise<{ url: string, sql: (text: string) => Promise<void>, drop: () => Promise<void> }>}
 */
export async function freshDatabase(serverUrl) {
  const name = `e2e_${process.pid}_${randomBytes(4).toString('hex')}`;
  const psql = findPsql();
  const sql = (/** @type {string} */ text) => run(psql, ['-qAtX', '-v', 'ON_ERROR_STOP=1', '-d', serverUrl, '-c', text]);
  await sql(`CREATE DATABASE ${name}`);
  // The name is the path of the URL: postgres://user@host/NAME?options, where the host may be empty.
  const url = serverUrl.replace(/^([a-z]+:\/\/[^/?]*)(\/[^?]*)?/, `$1/${name}`);
  const inside = async (/** @type {string} */ text) => void (await run(psql, ['-qAtX', '-v', 'ON_ERROR_STOP=1', '-d', url, '-c', text]));
  return { url, sql: inside, drop: async () => void (await sql(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)) };
}
