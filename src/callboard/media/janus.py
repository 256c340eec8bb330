"""A session with Janus: one connection, many handles, kept alive.

Owns: `JanusSession`, `Handle`, `Reply`.

Always holds: if only the socket drops, the session is claimed again over a new one and its handles live on
(what was pending fails, what Janus said meanwhile is lost); if that cannot be done, `lost` says why, once,
and for good.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from callboard.media.admin import GONE
from callboard.media.connection import Connection, JanusError, JanusGone, JanusTimeout, Message
from callboard.media.janusconfig import RECLAIM_TIMEOUT, Access
from callboard.media.janusevents import Event, PluginEvent, parse_event

log = logging.getLogger("callboard.media")

PLUGIN: Final = "janus.plugin.videoroom"
KEEPALIVE: Final = 10.0
Description = dict[str, str]
"""A session description as Janus has it: `{"type": "offer" | "answer", "sdp": …}`."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the plugin replied, and the session description that came with it."""

    data: dict[str, Any]
    sdp: str | None


class JanusSession:
    """Make one with `open`."""

    def __init__(self, access: Access, deadline: float, on_reclaim: Callable[[], None]) -> None:
        self.id = 0
        self._access = access
        self._deadline = deadline
        self._on_reclaim = on_reclaim
        self._handles: dict[int, Handle] = {}
        self._connection: Connection | None = None
        self._connected = asyncio.Event()
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, access: Access, deadline: float, on_reclaim: Callable[[], None] = lambda: None) -> JanusSession:
        """Connect and create a session. Raises `JanusGone`, `JanusTimeout`, `JanusError`."""
        session = cls(access, deadline, on_reclaim)
        connection = await session._connect()
        try:
            created = await connection.request({"janus": "create"})
        except BaseException:
            await connection.close()
            raise
        session.id = int(created["data"]["id"])
        session._use(connection)
        session._spawn(session._hold(connection))
        return session

    async def settled(self) -> bool:
        """Wait while the connection is being restored; whether the session lives."""
        await self._connected.wait()
        return self._connection is not None

    async def lost(self) -> str:
        """Wait until the session is lost; why."""
        return await asyncio.shield(self._lost)

    async def request(self, message: Message, *, ack_is_enough: bool = False) -> Message:
        """A request of this session. Waits for a connection that is being restored. Raises as `Connection`."""
        try:
            async with asyncio.timeout(self._deadline):
                await self._connected.wait()
        except TimeoutError:
            raise JanusGone("there is no connection to Janus") from None
        if self._connection is None:
            raise JanusGone("the session with Janus is over")
        return await self._connection.request({"session_id": self.id, **message}, ack_is_enough=ack_is_enough)

    async def attach(self, on_event: Callable[[Event], None], opaque_id: str) -> Handle:
        """A new handle of the VideoRoom plugin. If the caller is cancelled, the handle is not left behind."""
        made = asyncio.ensure_future(self._attach(on_event, opaque_id))
        try:
            return await asyncio.shield(made)
        except asyncio.CancelledError:
            self._spawn(self._detach_late(made))
            raise

    async def close(self) -> None:
        """Destroy the session (Janus detaches what is left of it) and disconnect. Idempotent."""
        if not self._lost.done():
            self._lost.set_result("closed")
        connection = self._connection
        if connection is not None:
            try:
                await connection.request({"janus": "destroy", "session_id": self.id})
            except (JanusError, JanusTimeout, JanusGone) as error:
                log.info("could not say goodbye to janus: %s", error)
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if connection is not None:
            await connection.close()
        self._connection = None
        self._connected.set()

    async def _attach(self, on_event: Callable[[Event], None], opaque_id: str) -> Handle:
        reply = await self.request({"janus": "attach", "plugin": PLUGIN, "opaque_id": opaque_id})
        handle = Handle(self, int(reply["data"]["id"]), on_event)
        self._handles[handle.id] = handle
        return handle

    async def _detach_late(self, made: asyncio.Future[Handle]) -> None:
        try:
            handle = await made
        except (JanusError, JanusTimeout, JanusGone):
            return
        await handle.detach()

    async def _hold(self, connection: Connection) -> None:
        """Keep the session alive; claim it again each time its connection ends."""
        while True:
            beat = asyncio.create_task(self._keep_alive(connection))
            try:
                await connection.wait_closed()
            finally:
                beat.cancel()
                await asyncio.wait([beat])
            self._connected.clear()
            try:
                async with asyncio.timeout(RECLAIM_TIMEOUT):
                    connection = await self._reclaim()
            except (TimeoutError, JanusError) as error:
                self._end(f"the session with Janus could not be claimed again: {error}")
                return
            log.warning("the control connection to janus dropped and was restored")
            self._use(connection)
            self._on_reclaim()

    async def _reclaim(self) -> Connection:
        while True:
            try:
                connection = await self._connect()
            except JanusGone:
                await asyncio.sleep(0.1)
                continue
            try:
                await connection.request({"janus": "claim", "session_id": self.id})
            except (JanusGone, JanusTimeout):
                await connection.close()
            except BaseException:
                await connection.close()
                raise
            else:
                return connection

    async def _keep_alive(self, connection: Connection) -> None:
        while True:
            await asyncio.sleep(KEEPALIVE)
            try:
                await connection.request({"janus": "keepalive", "session_id": self.id}, ack_is_enough=True)
            except (JanusError, JanusTimeout, JanusGone) as error:
                log.warning("janus did not answer a keepalive: %s", error)
                connection.abort()
                return

    async def _connect(self) -> Connection:
        return await Connection.open(
            self._access.api_socket,
            "janus-protocol",
            ("apisecret", self._access.api_secret),
            self._deadline,
            self._take,
        )

    def _use(self, connection: Connection) -> None:
        self._connection = connection
        self._connected.set()

    def _end(self, reason: str) -> None:
        self._connection = None
        self._connected.set()
        if not self._lost.done():
            self._lost.set_result(reason)

    def _take(self, message: Message) -> None:
        if message.get("janus") == "timeout":
            self._end("Janus timed our session out")
            return
        handle = self._handles.get(message.get("sender", 0))
        event = parse_event(message)
        if handle is not None and event is not None:
            handle.on_event(event)

    def forget(self, handle: Handle) -> None:
        """Deliver no more events of `handle`."""
        self._handles.pop(handle.id, None)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Handle:
    """One attachment to the VideoRoom plugin: a publisher, a subscriber, or the one for control."""

    def __init__(self, session: JanusSession, handle_id: int, on_event: Callable[[Event], None]) -> None:
        self.id = handle_id
        self.session = session
        self.on_event = on_event

    async def message(self, body: Message, description: Description | None = None) -> Reply:
        """A request to the plugin. Raises `JanusError` (its codes too), `JanusTimeout`, `JanusGone`."""
        message: Message = {"janus": "message", "handle_id": self.id, "body": body}
        if description is not None:
            message["jsep"] = description
        reply = await self.session.request(message)
        event = parse_event({**reply, "janus": "event"})
        data = event.data if isinstance(event, PluginEvent) else {}
        if "error_code" in data:
            raise JanusError(int(data["error_code"]), str(data.get("error", "no reason given")))
        return Reply(data, (reply.get("jsep") or {}).get("sdp"))

    async def trickle(self, candidate: dict[str, Any]) -> None:
        """Hand over a candidate of the client. Raises as `message`."""
        await self.session.request(
            {"janus": "trickle", "handle_id": self.id, "candidate": candidate}, ack_is_enough=True
        )

    async def detach(self) -> None:
        """Give the handle back; its connection closes. A Janus that is gone has no handles either."""
        self.session.forget(self)
        try:
            await self.session.request({"janus": "detach", "handle_id": self.id})
        except JanusGone:
            return
        except JanusError as error:
            if error.code not in GONE:
                log.warning("janus did not detach a handle: %s", error)
        except JanusTimeout as error:
            log.warning("janus did not detach a handle: %s", error)
