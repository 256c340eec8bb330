"""Our end of the client's API data channel: ICE, DTLS and SCTP of its own, by aiortc (janus.md §6).

Owns: `ApiChannel`.

Always holds: the client gets one channel, label `ion-sfu`, opened by us; messages are bounded in both
directions; an exception in aiortc ends this channel and is logged, nothing else. `close` closes every socket
and ends every task.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any, Final, Protocol, cast

from aiortc import (
    RTCCertificate,
    RTCDataChannel,
    RTCDataChannelParameters,
    RTCDtlsTransport,
    RTCSctpTransport,
)
from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters
from aiortc.rtcicetransport import RTCIceTransport
from aiortc.rtcsctptransport import RTCSctpCapabilities

from callboard.media.apiprotocol import MAX_REQUEST
from callboard.media.apisection import MAX_CANDIDATES, LocalEnd, RemoteEnd, parse_section, render_section
from callboard.media.candidates import IceCandidate
from callboard.media.icelink import IceLink
from callboard.media.sdp import SdpError, Section

log = logging.getLogger("callboard.media")

LABEL: Final = "ion-sfu"
PROTOCOL: Final = "SCTP"
MAX_BUFFERED: Final = 256 * 1024
MAX_FOREIGN_CHANNELS: Final = 4
CONNECT_DEADLINE: Final = 30.0
STOP_DEADLINE: Final = 2.0


class ChannelOwner(Protocol):
    """Told what happens on the channel, on the event loop."""

    def channel_opened(self) -> None: ...

    def channel_message(self, text: str) -> None: ...

    def channel_late(self) -> None:
        """It did not open in time; it still may."""
        ...

    def channel_lost(self, reason: str) -> None: ...


class ApiChannel:
    """Make one with `create`; offer its `section`, then `accept` the client's."""

    def __init__(
        self,
        owner: ChannelOwner,
        link: IceLink,
        certificate: RTCCertificate,
        public_address: str | None,
        alarm: float,
    ) -> None:
        self._owner = owner
        self._link = link
        self._certificate = certificate
        self._public_address = public_address
        self._alarm = alarm
        self._remote: RemoteEnd | None = None
        self._early: list[IceCandidate] = []
        self._dtls = RTCDtlsTransport(cast(RTCIceTransport, link), [certificate])
        self._sctp = RTCSctpTransport(self._dtls)
        self._channel: RTCDataChannel | None = None
        self._foreign = 0
        self._alarm_timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._teardown: asyncio.Task[None] | None = None
        self.section = Section(())

    @classmethod
    async def create(
        cls,
        owner: ChannelOwner,
        addresses: Sequence[str],
        ports: tuple[int, int],
        public_address: str | None,
        certificate: RTCCertificate,
        alarm: float,
    ) -> ApiChannel:
        """With its section ready to be offered. Raises `OSError` when no port is free. `alarm` in seconds."""
        channel = cls(owner, IceLink(addresses, ports), certificate, public_address, alarm)
        try:
            await channel.restart()
        except BaseException:
            await channel.close()
            raise
        return channel

    @property
    def is_open(self) -> bool:
        return self._channel is not None and self._channel.readyState == "open" and self._teardown is None

    async def restart(self) -> None:
        """New ICE credentials in `section`, to be offered; the channel lives on. Raises `OSError`."""
        username, password, candidates = await self._link.prepare()
        fingerprint = next(f.value for f in self._certificate.getFingerprints() if f.algorithm == "sha-256")
        local = LocalEnd(username, password, fingerprint, tuple(candidates))
        self.section = render_section(local, self._public_address)

    def accept(self, section: Section) -> None:
        """Take the client's section and connect in the background. Raises `SdpError`.

        An answer that repeats the credentials in use changes nothing.
        """
        remote = parse_section(section)
        before = self._remote
        if before is not None and remote.username == before.username:
            return
        if before is not None and remote.fingerprint != before.fingerprint:
            raise SdpError("the client changed the certificate of the API channel")
        self._remote = remote
        if before is None:
            self._alarm_timer = asyncio.get_running_loop().call_later(self._alarm, self._check_open)
        self._spawn(self._connect(remote))

    def add_candidate(self, candidate: IceCandidate) -> None:
        """A candidate the client trickled; kept until its answer is there."""
        if self._remote is not None:
            self._spawn(self._link.add_candidate(candidate))
        elif len(self._early) < MAX_CANDIDATES:
            self._early.append(candidate)

    def send(self, text: str) -> bool:
        """Send a message; `False` when it could not be (not open, or the client does not read)."""
        channel = self._channel
        if channel is None or not self.is_open or self._dtls.state != "connected":
            return False
        if channel.bufferedAmount + len(text) > MAX_BUFFERED:
            return False
        try:
            channel.send(text)
        except ValueError as error:  # larger than the client takes
            log.info("the API channel cannot send: %s", error)
            return False
        return True

    async def close(self) -> None:
        """End it. Idempotent; bounded time."""
        await asyncio.shield(self._end())

    async def _connect(self, remote: RemoteEnd) -> None:
        early, self._early = self._early, []
        try:
            async with asyncio.timeout(CONNECT_DEADLINE):
                for candidate in early:
                    await self._link.add_candidate(candidate)
                if await self._link.connect(remote) and self._dtls.state == "new":
                    await self._start_transports(remote)
        except TimeoutError:
            self._failed(f"no connection within {CONNECT_DEADLINE:g} s")
        except (ConnectionError, OSError) as error:
            self._failed(str(error))

    def _failed(self, reason: str) -> None:
        if self.is_open and self._link.up:
            log.info("an API channel keeps its old path: %s", reason)
        else:
            self._lose(reason)

    async def _start_transports(self, remote: RemoteEnd) -> None:
        self._dtls.on("statechange", self._on_dtls_state)
        self._dtls._set_role(remote.role)  # what RTCPeerConnection does with a=setup
        fingerprint = RTCDtlsFingerprint(algorithm="sha-256", value=remote.fingerprint)
        await self._dtls.start(RTCDtlsParameters(fingerprints=[fingerprint]))
        if self._dtls.state != "connected":
            raise ConnectionError("the DTLS handshake failed")
        self._sctp.on("datachannel", self._on_foreign_channel)
        parameters = RTCDataChannelParameters(label=LABEL, protocol=PROTOCOL)
        await self._sctp.start(RTCSctpCapabilities(maxMessageSize=remote.max_message), remote.sctp_port)
        channel = self._channel = RTCDataChannel(self._sctp, parameters)
        channel.on("open", self._owner.channel_opened)
        channel.on("message", self._on_message)
        channel.on("close", lambda: self._lose("the client closed it"))

    async def _stop(self) -> None:
        if self._alarm_timer is not None:
            self._alarm_timer.cancel()
        for emitter in (self._dtls, self._sctp, self._channel):
            if emitter is not None:
                emitter.remove_all_listeners()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        receiving = self._dtls._task
        try:
            async with asyncio.timeout(STOP_DEADLINE):
                if self._sctp.state != "new":
                    await self._sctp.stop()
                await self._dtls.stop()
        except (TimeoutError, ConnectionError) as error:
            log.info("an API channel did not close cleanly: %s", error)
        if receiving is not None:
            await asyncio.wait([receiving])
            if not receiving.cancelled() and receiving.exception() is not None:
                log.warning("an API channel ended with an error: %r", receiving.exception())
        await self._link.close()

    def _on_message(self, message: str | bytes) -> None:
        if isinstance(message, str) and len(message) <= MAX_REQUEST:
            self._owner.channel_message(message)
        else:
            log.info("a message on the API channel is too long or not text: ignored")

    def _on_foreign_channel(self, channel: RTCDataChannel) -> None:
        self._foreign += 1
        if self._foreign > MAX_FOREIGN_CHANNELS:
            self._lose("the client opens channels that nobody asked for")
        else:
            channel.close()

    def _on_dtls_state(self) -> None:
        if self._dtls.state in ("closed", "failed"):
            self._lose("its transport was closed")

    def _check_open(self) -> None:
        if not self.is_open:
            self._owner.channel_late()

    def _lose(self, reason: str) -> None:
        if self._teardown is None:
            self._end()
            self._owner.channel_lost(reason)

    def _end(self) -> asyncio.Task[None]:
        if self._teardown is None:
            self._teardown = asyncio.create_task(self._stop(), name="api channel stops")
        return self._teardown

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if self._teardown is not None:
            work.close()
            return
        task = asyncio.create_task(work, name="api channel")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
