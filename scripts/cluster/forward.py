"""Leads a port of this machine's loopback to a Service of the cluster: forward.py PORT NETWORK ADDRESS SERVICE_PORT

NETWORK is the file of the cluster's network namespace, such as /proc/123/ns/net. The listening socket stays in the network in
which it was opened; every connection that is made afterwards begins in the cluster's.
"""

import asyncio
import ctypes
import os
import socket
import sys


def enter(network):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(os.open(network, os.O_RDONLY), 0):
        raise OSError(ctypes.get_errno(), f"entering {network}")


async def copy(reader, writer):
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def main(port, network, address, service_port):
    listening = socket.create_server(("127.0.0.1", int(port)))
    enter(network)

    async def serve(reader, writer):
        try:
            there = await asyncio.open_connection(address, int(service_port))
        except OSError:
            writer.close()
            return
        await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))

    server = await asyncio.start_server(serve, sock=listening)
    await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
