"""One HTTP/1.1 connection to an endpoint: one request at a time, and what comes back judged without trust.

Owns: `Connection`, `Opening`, and the limits on an answer.

Always holds: whatever the other side sends, an attempt ends exactly once, with a status or with an error; at
most `HEADER_BYTES` of headers and `BODY_BYTES` of body are taken in (and what one read brings beyond them); a
connection whose state is not beyond doubt is dropped, never used again. A redirect is an answer like any
other: not followed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import monotonic
from typing import Generic, Protocol, TypeVar

import httptools

from callboard.webhooks.answers import BODY_EXCERPT, final_head
from callboard.webhooks.failures import Failure

HEADER_BYTES = 32 * 1024
BODY_BYTES = 64 * 1024
INTERIM_ANSWERS = 8
"""How many 1xx answers may precede the answer."""

RECEIVED_BYTES = 512 * 1024
"""Of an answer, with what frames its body: chunks of one byte, chunk extensions and trailers are bounded too."""

Work = TypeVar("Work")


@dataclass(slots=True)
class Opening:
    """How a connection came about, as far as it did: seconds for each step, and the address that was connected to."""

    remote: str = ""
    dns: float = 0.0
    connect: float = 0.0
    tls: float = 0.0
    timeout: Failure = Failure.TIMEOUT_DNS
    """What it is if time runs out now."""


REUSED = Opening()
"""An attempt on a connection that there was already spent no time on these."""


class Owner(Protocol[Work]):
    """Whom a connection belongs to: who gives it work and hears what became of it."""

    def render(self, work: Work) -> bytes:
        """The request for `work`, whole, as it is to be written."""
        ...

    def answered(self, connection: Connection[Work], work: Work) -> None:
        """`connection.status` answers `work`. If `connection.reusable`, other work may begin on it at once."""
        ...

    def failed(self, connection: Connection[Work], work: Work, error: Failure) -> None:
        """There is no answer to `work`, and the connection is of no more use."""
        ...

    def stale(self, connection: Connection[Work], work: Work) -> None:
        """The other side closed a connection that had served before, without one byte in answer to `work`."""
        ...

    def closed(self, connection: Connection[Work]) -> None:
        """The connection has ended. Called once, after whatever else there was to say."""
        ...


class Connection(asyncio.Protocol, Generic[Work]):
    """See the module. `tick` is the owner's time when the current attempt, or else the last one, began.

    Of the attempt: `opening`, `first_byte` (seconds from the request's being written), `head`, and `body`, of which the
    first bytes are kept.
    """

    __slots__ = (
        "_begun",
        "_body_bytes",
        "_broken",
        "_complete",
        "_head",
        "_interim",
        "_owner",
        "_parser",
        "_received",
        "_retired",
        "_sent",
        "_served",
        "_transport",
        "body",
        "first_byte",
        "lost",
        "opening",
        "remote",
        "reusable",
        "status",
        "tick",
        "work",
    )

    def __init__(self, owner: Owner[Work]) -> None:
        self._owner = owner
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.WriteTransport | None = None
        self._served = False
        self._retired = False
        self.lost = False
        self.work: Work | None = None
        self.tick = 0
        self.remote = ""
        self._reset()

    def _reset(self) -> None:
        self.status = 0
        self._head = self.body = b""
        self.opening = REUSED
        self._sent = self.first_byte = 0.0
        self._body_bytes = self._begun = self._interim = self._received = 0
        self._complete = self._broken = self.reusable = False

    @property
    def head(self) -> bytes:
        """Status line and headers of the answer, as they came."""
        return final_head(self._head, self._interim) if self.status else b""

    # What the owner asks for.

    def begin(self, work: Work, tick: int) -> None:
        """Send the request for `work`. Only on a connection that is new, or `reusable` and without work."""
        self._reset()
        self.work = work
        self.tick = tick
        assert self._transport is not None
        self._transport.write(self._owner.render(work))
        self._sent = monotonic()

    def retire(self) -> None:
        """Take no more work: close now, or once the answer that is awaited has come."""
        self._retired = True
        if self.work is None:
            self._close()

    def time_out(self) -> None:
        """The attempt's time is over."""
        self.fail(Failure.TIMEOUT_BODY if self.status else Failure.TIMEOUT_ANSWER)

    def fail(self, error: Failure) -> None:
        """Drop the connection. If an attempt is under way, it has failed with `error`."""
        work, self.work = self.work, None
        self.reusable = False
        if self._transport is not None:
            self._transport.abort()
        if work is not None:
            self._owner.failed(self, work, error)

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not subclasses of asyncio's: this states what both of them are.
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self.work is None:  # nothing was asked
            self.fail(Failure.BAD_RESPONSE)
            return
        self._received += len(data)
        if not self.status:
            if not self._head:
                self.first_byte = monotonic() - self._sent
            self._head += data
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            raise  # a mistake of ours, in the methods below: the loop reports it and drops the connection
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._broken = True
        # After a complete answer only what follows it is broken ("content-length: 0", then a body all the
        # same). And who sends more body than is taken in has answered: the rest is not waited for.
        if self._complete or self._body_bytes > BODY_BYTES or (self.status and self._received > RECEIVED_BYTES):
            self._end()
        elif self._broken:
            self.fail(Failure.BAD_RESPONSE)
        elif not self.status and len(self._head) > HEADER_BYTES:
            self.fail(Failure.TOO_LARGE)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.reusable = False
        work, self.work = self.work, None
        if work is not None:
            if self.status and _ends_with_connection(self.head):
                self._owner.answered(self, work)
            elif self._served and not self._head:
                self._owner.stale(self, work)
            else:
                reset = isinstance(exc, ConnectionResetError)
                self._owner.failed(self, work, Failure.CONNECTION_RESET if reset else Failure.CONNECTION_LOST)
        self._owner.closed(self)

    def _end(self) -> None:
        work, self.work = self.work, None
        assert work is not None
        # A second answer, or the beginning of one, would be taken for the answer to what is sent next.
        alone = self._begun == self._interim + 1
        if self.reusable and alone and not self._broken and not self._retired:
            self._served = True
        else:
            self._close()
        self._owner.answered(self, work)

    def _close(self) -> None:
        self.reusable = False
        if self._transport is not None:
            self._transport.close()

    # What the parser says, in the course of `feed_data`.

    def on_message_begin(self) -> None:
        self._begun += 1

    def on_headers_complete(self) -> None:
        if self.status or self._broken:  # what comes after an answer, or instead of one
            return
        status = self._parser.get_status_code()
        if status >= 200:
            self.status = status
            return
        self._interim += 1
        # 101: no upgrade was asked for.
        self._broken = self._interim > INTERIM_ANSWERS or status < 100 or status == 101

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if len(self.body) < BODY_EXCERPT:
            self.body += body[: BODY_EXCERPT - len(self.body)]

    def on_message_complete(self) -> None:
        if self.status and not self._complete:
            self._complete = True
            self.reusable = self._parser.should_keep_alive()


def _ends_with_connection(head: bytes) -> bool:
    """Whether the end of the connection is the end of this answer's body (RFC 9112 §6.3, the last case).

    That is how HTTP/1.0 servers answer. With a length or with chunks it is an answer cut short.
    """
    headers = head.lower()
    return b"\ncontent-length:" not in headers and b"\ntransfer-encoding:" not in headers
