// The small website behind the gateway.
import { once } from 'node:events';
import { createServer } from 'node:http';

export const SITE_TITLE = 'Harbour Street Bakery';

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<title>${SITE_TITLE}</title>
<style>
body { margin: 0; font: 18px/1.6 Georgia, serif; background: #faf6ef; color: #33271a; }
main { max-width: 34rem; margin: 12vh auto; padding: 0 1.5rem; }
h1 { font-size: 2.4rem; line-height: 1.2; margin: 0 0 .5rem; }
dt { font-weight: bold; } dd { margin: 0 0 .6rem; }
</style>
<main>
<h1>${SITE_TITLE}</h1>
<p>Sourdough, rye and buns, out of the oven at seven.</p>
<dl><dt>Open</dt><dd>Tuesday to Sunday, 7:00 to 15:00</dd><dt>Today</dt><dd>Walnut rye, cinnamon buns</dd></dl>
</main>`;

export async function startSite() {
  const server = createServer((request, response) => {
    const found = request.url === '/';
    response.writeHead(found ? 200 : 404, { 'Content-Type': 'text/html; charset=utf-8' });
    response.end(found ? PAGE : 'There is no such page.');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
