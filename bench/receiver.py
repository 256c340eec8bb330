"""The receiver of the measurements: as little as can be said to receive webhooks.

`python -m bench.receiver CORE LOG SECRET [awake] [CERTIFICATE]` listens on a free port of loopback (over TLS with a
CERTIFICATE, a file with its key in it), prints the port, answers every POST
with an empty 200 and writes a line `stream seq nanoseconds` per request into LOG. One signature in 64 is checked. On
SIGTERM it prints how many requests came and how many of the signatures it checked were wrong, and ends.

`awake`, it never sleeps while it waits: waking a sleeping receiver on the same machine is work of the sender's core,
paid for every request by who sends slowly and never by who sends fast. Across a network nobody pays it.
"""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import sys
import time
from pathlib import Path

import httptools
import uvloop

from bench.cpu import pin
from callboard.webhooks.signing import InvalidSignature, verify

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Log:
    """What came, written behind."""

    def __init__(self, path: Path, secret: str) -> None:
        self.file = path.open("wb", buffering=1 << 20)
        self.secret = secret
        self.count = self.wrong = 0


class Conversation(asyncio.Protocol):
    """One connection."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.parser = httptools.HttpRequestParser(self)
        self.headers: dict[bytes, bytes] = {}
        self.body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # uvloop's is not a subclass

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name] = value

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        now = time.time_ns()
        headers, log = self.headers, self.log
        log.file.write(b"%b %b %d\n" % (headers[b"callboard-stream"], headers[b"callboard-seq"], now))
        log.count += 1
        if log.count % 64 == 0:
            try:
                verify(
                    log.secret,
                    headers[b"webhook-id"],
                    headers[b"webhook-timestamp"],
                    headers[b"webhook-signature"],
                    self.body,
                    now=now // 1_000_000_000,
                )
            except InvalidSignature:
                log.wrong += 1
        self.transport.write(OK)
        self.headers = {}
        self.body = b""


async def main(core: int, path: Path, secret: str, *, awake: bool, certificate: str) -> None:
    pin(core)
    log = Log(path, secret)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    server = await loop.create_server(lambda: Conversation(log), "127.0.0.1", 0, backlog=1024, ssl=tls)
    print(server.sockets[0].getsockname()[1], flush=True)
    while awake and not stopped.is_set():
        await asyncio.sleep(0)
    await stopped.wait()
    server.close()
    log.file.close()
    print(json.dumps({"count": log.count, "wrong": log.wrong}), flush=True)


if __name__ == "__main__":
    core, path, secret, *more = sys.argv[1:]
    certificate = next((each for each in more if each != "awake"), "")
    uvloop.run(main(int(core), Path(path), secret, awake="awake" in more, certificate=certificate))
