"""A POST that may be sent twice and does its work once: the header `Idempotency-Key`.

Owns: `Idempotent`, the middleware around all routes that need a management token, and `Answers`, what it keeps.

Always holds: before the work of a keyed POST begins, it is durable that it began; its answer is durable before anybody
gets it. So the same key never does work twice: who repeats it gets the kept answer, or is told that a dead process left
it unknown. Twins at the same time wait for the first, on whichever nodes they are: who begins passes a gate, one after
the other for a key. Kept answers are sealed: some have secrets in them.
Source: draft-ietf-httpapi-idempotency-key-header-07; what is answered when is in `docs/rest.md`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from callboard.api.errors import Error
from callboard.auth.tokens import InvalidToken, Tokens
from callboard.clock import Clock
from callboard.database import Database, Delete, Guard, GuardFailed, Put, Unit
from callboard.database.tables import IDEMPOTENCY_GATE, IDEMPOTENT_ANSWER
from callboard.rooms.whole import Whole
from callboard.webhooks.vault import Vault, VaultError

log = logging.getLogger("callboard.api")

HEADER: Final = b"idempotency-key"
REPLAYED: Final = b"idempotent-replayed"
KEPT_SECONDS: Final = 86_400.0
WAIT_SECONDS: Final = 10.0
_KEY: Final = re.compile(rb"[\x21-\x7e]{1,255}")
_NOT_KEPT: Final = frozenset({401, 408, 409, 413, 422, 429})
"""Of the answers below 500 those that say nothing of the work: it may be asked for again."""
GATES: Final = 256
"""Rows of the gate: keys share them."""
LOOK_SECONDS: Final = 0.2
"""Between looks whether another node has answered."""
_BEGUN: Final = 0
"""The status of an answer that there is not yet."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its status, its headers and its body."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def kept(self) -> bool:
        return self.status < HTTPStatus.INTERNAL_SERVER_ERROR and self.status not in _NOT_KEPT


@dataclass(frozen=True, slots=True)
class Asked:
    """A keyed request: whose, for what, under which key, and what it says."""

    access_key: str
    path: str
    key: str
    digest: str

    @property
    def row_key(self) -> tuple[str, str, str]:
        return self.access_key, self.path, self.key

    @property
    def gate(self) -> int:
        """Which gate it passes."""
        return hashlib.sha256(repr(self.row_key).encode()).digest()[0] % GATES

    @property
    def name(self) -> str:
        """What its answer is sealed for."""
        return f"answer {self.path} {self.key}"


Work = Callable[[], Awaitable[Reply]]


def refusal(status: HTTPStatus, detail: str) -> Reply:
    """An error in the shape of all errors."""
    body = msgspec.json.encode(Error(code=status, message=status.phrase, details=(detail,)))
    return Reply(status, ((b"content-type", b"application/json"),), body)


UNKNOWN: Final = refusal(
    HTTPStatus.CONFLICT,
    "a request with this Idempotency-Key was begun and the server ended before it was answered: whether it did its work"
    " is not known; look, and send another key",
)
ELSEWHERE: Final = refusal(
    HTTPStatus.CONFLICT,
    "a request with this Idempotency-Key was begun and is not answered: another server is still at work on it, or ended"
    " before, and then whether it did its work is not known; try again later, or look, and send another key",
)
OTHER: Final = refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "this Idempotency-Key was used with another body or query")
BUSY: Final = refusal(HTTPStatus.CONFLICT, "a request with this Idempotency-Key is still at work: try again later")
NO_KEY: Final = refusal(HTTPStatus.BAD_REQUEST, "Idempotency-Key: must be 1 to 255 printable ASCII characters")
TOO_LONG: Final = refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too long")


class Answers:
    """What keyed requests were answered with. Without a `vault` answers are written as they are (for tests)."""

    def __init__(self, database: Database, clock: Clock, vault: Vault | None) -> None:
        self._database = database
        self._clock = clock
        self._vault = vault
        self._running: dict[tuple[str, str, str], asyncio.Future[None]] = {}
        self._whole = Whole()

    async def once(self, asked: Asked, work: Work) -> Reply:
        """The answer of `work()`, which is not called again for a request that it was called for before."""
        while (running := self._running.get(asked.row_key)) is not None:
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await asyncio.shield(running)
            except TimeoutError:
                return BUSY
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._running[asked.row_key] = done
        return await self._whole.run(self._first(asked, work, done))

    async def _first(self, asked: Asked, work: Work, done: asyncio.Future[None]) -> Reply:
        try:
            if (known := await self._begun(asked)) is not None:
                return known
            reply = await work()
            if reply.kept:
                await self._put(asked, reply.status, self._sealed(asked, reply.body))
            else:
                await self._database.commit(Unit((Delete(IDEMPOTENT_ANSWER, asked.row_key),)))
            return reply
        finally:
            del self._running[asked.row_key]
            done.set_result(None)

    async def _begun(self, asked: Asked) -> Reply | None:
        """None once it is durable that this request begins the work; else what is answered without any."""
        waits_until = self._clock.now() + int(WAIT_SECONDS * 1e9)
        while True:
            ((fence,),) = await self._database.fetch("idempotency_gate", number=asked.gate)
            known = await self._known(asked)
            if known is ELSEWHERE and self._clock.now() < waits_until:
                await asyncio.sleep(LOOK_SECONDS)
            elif known is not None:
                return known
            else:
                passed = Put(IDEMPOTENCY_GATE, (asked.gate, int(str(fence)) + 1))
                guard = Guard(IDEMPOTENCY_GATE, (asked.gate,), "fence", fence)
                with suppress(GuardFailed):  # somebody has begun meanwhile, maybe with this key: look again
                    await self._put(asked, _BEGUN, "", passed, guard=guard)
                    return None

    async def _known(self, asked: Asked) -> Reply | None:
        rows = await self._database.fetch(
            "idempotent_answer", access_key=asked.access_key, path=asked.path, key=asked.key
        )
        if not rows:
            return None
        digest, status, body, created_at = rows[0][3:]
        if int(created_at or 0) < self._clock.now() - int(KEPT_SECONDS * 1e9):
            return None
        if digest != asked.digest:
            return OTHER
        if status == _BEGUN:
            fresh = int(created_at or 0) > self._clock.now() - int(WAIT_SECONDS * 1e9)
            return ELSEWHERE if self._database.shared and fresh else UNKNOWN
        try:
            opened = self._vault.open(str(body), asked.name) if self._vault else str(body).encode()
        except VaultError as problem:
            log.warning("a kept answer cannot be read: %s", problem)
            return UNKNOWN
        return Reply(int(status or 0), ((b"content-type", b"application/json"), (REPLAYED, b"true")), opened)

    def _sealed(self, asked: Asked, body: bytes) -> str:
        return self._vault.seal(body, asked.name) if self._vault else body.decode()

    async def _put(self, asked: Asked, status: int, body: str, *more: Put, guard: Guard | None = None) -> None:
        row = (*asked.row_key, asked.digest, status, body, self._clock.now())
        await self._database.commit(Unit((Put(IDEMPOTENT_ANSWER, row), *more), guards=(guard,) if guard else ()))


class Idempotent:
    """The middleware. Requests without the header, or without a valid token, pass through it."""

    def __init__(self, app: ASGIApp, *, answers: Answers, tokens: Tokens, max_body_bytes: int) -> None:
        self._app = app
        self._answers = answers
        self._tokens = tokens
        self._most = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", ()))
        key = headers.get(HEADER)
        if key is None or scope.get("method") != "POST" or (access_key := self._bearer(headers)) is None:
            await self._app(scope, receive, send)
        elif not _KEY.fullmatch(key):
            await _tell(NO_KEY, send)
        elif (body := await _whole_body(receive, self._most)) is None:
            await _tell(TOO_LONG, send)
        else:
            digest = hashlib.sha256(scope.get("query_string", b"") + b"\0" + body).hexdigest()
            asked = Asked(access_key, scope["raw_path"].decode("latin-1"), key.decode("ascii"), digest)
            await _tell(await self._answers.once(asked, lambda: self._answered(scope, body)), send)

    def _bearer(self, headers: dict[bytes, bytes]) -> str | None:
        """The access key of a valid management token; None leaves the refusal to the guard."""
        scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            return self._tokens.verify_management_token(token.strip()).access_key
        except InvalidToken:
            return None

    async def _answered(self, scope: Scope, body: bytes) -> Reply:
        """What the application answers."""
        sent: list[Message] = []
        given = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> Any:
            return next(given, {"type": "http.disconnect"})

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        return _reply(sent)


async def _whole_body(receive: Receive, most: int) -> bytes | None:
    """The body, None when it is longer than `most`; a client that is gone has sent what it has sent."""
    body = bytearray()
    while True:
        message: Any = await receive()
        body += message.get("body", b"")
        if len(body) > most:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _reply(sent: Iterable[Message]) -> Reply:
    messages: list[Any] = list(sent)
    start = next(one for one in messages if one["type"] == "http.response.start")
    body = b"".join(one.get("body", b"") for one in messages if one["type"] == "http.response.body")
    return Reply(start["status"], tuple(start["headers"]), body)


async def _tell(reply: Reply, send: Send) -> None:
    headers = [(name, value) for name, value in reply.headers if name.lower() != b"content-length"]
    headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body, "more_body": False})
