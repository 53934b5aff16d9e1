"""Passes TCP connections on: `forward.py FROM_HOST:PORT TO_HOST:PORT`, until it is ended. For the lab only: addresses are IPv4."""

import asyncio
import signal
import sys


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()


async def serve(listen: str, target: str) -> None:
    (host, port), (to_host, to_port) = listen.rsplit(":", 1), target.rsplit(":", 1)

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection(to_host, int(to_port))
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))
        for end in (writer, there[1]):
            end.close()

    server = await asyncio.start_server(passed_on, host, int(port))
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # ends without a trace of calls
    asyncio.run(serve(sys.argv[1], sys.argv[2]))
