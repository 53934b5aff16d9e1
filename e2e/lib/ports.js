// Free ports below those that the system hands out for outgoing connections, so that nothing takes one in the meantime.
import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';

const FROM = 12_000;
const TO = 32_000;

/**
 * @param {number} port
 * @returns {Promise<boolean>}
 */
function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}

/** @type {Set<number>} */
const given = new Set();

export async function freePort() {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = randomInt(FROM, TO);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error('no free port was found');
}

/**
 * What a visitor's socket sees: 'open', or the error code such as ECONNREFUSED.
 * @param {number} port
 * @param {string} [host]
 * @returns {Promise<string>}
 */
export function knock(port, host = '127.0.0.1') {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.setTimeout(5_000, () => socket.destroy(Object.assign(new Error('silence'), { code: 'ETIMEDOUT' })));
    socket.once('connect', () => {
      socket.destroy();
      resolve('open');
    });
    socket.once('error', (error) => resolve(/** @type {NodeJS.ErrnoException} */ (error).code ?? error.message));
  });
}
