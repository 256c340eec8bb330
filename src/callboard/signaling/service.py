"""A socket's life: who it is, what it is told first, taking over, being lost.

Owns: `Signaling`, which the HTTP layer hands each accepted WebSocket to.

Always holds: the first thing that an accepted client is told is its policy, or it would wait for ever (signal.md
§2.6). A client that may not connect is told so by `on-error`, never by a refused upgrade, which it would hammer
(§2.4). Losing a socket starts a grace time, nothing more.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from callboard.auth.tokens import AppClaims
from callboard.errors import Refusal
from callboard.events import JoinFailure
from callboard.rooms import actions
from callboard.rooms.live import LiveRoom
from callboard.rooms.reports import Person
from callboard.rooms.session import Loss
from callboard.rooms.transitions import Closed, Outcome
from callboard.signaling import wire
from callboard.signaling.audience import is_large
from callboard.signaling.client import uses_media
from callboard.signaling.frames import Frame, notification
from callboard.signaling.methods import dispatch, membership, metadata
from callboard.signaling.methods.call import Call, Service
from callboard.signaling.socket import Answer, Socket, SocketClosed, Transport

log = logging.getLogger("callboard.signaling")


async def turn_away(transport: Transport, code: int, message: str) -> None:
    """Tell a client for good that it may not connect: `on-error` is terminal for it (signal.md §4.1)."""
    try:
        await transport.send_text(notification("on-error", {"code": code, "message": message}).decode())
        await transport.close(1000, "not allowed")
    except SocketClosed:
        log.info("a client that was turned away had gone already")


class Signaling:
    """All sockets of this node."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._calls: dict[Socket, Call] = {}
        self._full = service.features.full_list_peers
        service.rooms.observe(self._forget_store)

    async def serve(self, transport: Transport, claims: AppClaims, peer_id: str, agent: str = "") -> None:
        """Serve an accepted WebSocket until it is closed. The token was verified by the caller; `agent` is what the
        client says it is."""
        service, person = self.service, Person(peer_id, claims.user_id or "", role=claims.role)
        try:
            live = await service.rooms.room(claims.room_id)
        except Refusal as refusal:
            await turn_away(transport, 403, refusal.message)
            return
        if (failure := self._impossible(live, person)) is not None:
            await actions.fail_join(service.rooms, live.room.id, person, failure, "websocket connect")
            await turn_away(transport, membership.REFUSED[failure], str(failure))
            return
        socket = Socket(transport, self._handle, service.counters, service.limits)
        client = service.registry.connect(live.room.id, person, socket)
        if not client.joined:
            client.joined = _present(live, peer_id)
            client.on_demand = service.features.on_demand_tracks  # until its `join` says whether it knows of that
        client.agent = agent
        call = Call(service, client, socket)
        self._calls[socket] = call
        self._greet(live, call)
        try:
            await socket.run()
        finally:
            del self._calls[socket]
            service.registry.disconnect(client, socket)
            if client.socket is None:
                service.mediation.quality.lost(client)

    def _impossible(self, live: LiveRoom, person: Person) -> JoinFailure | None:
        """What no later message of this client could mend: a role that the template does not have (the client could
        not even read its policy, signal.md §6.3), or the peer id of another user."""
        known = self.service.registry.find(live.room.id, person.peer_id)
        if known is not None and known.person.user_id != person.user_id:
            return JoinFailure.DUPLICATE_PEER_ID
        if person.role not in live.template.roles and not _present(live, person.peer_id):
            return JoinFailure.ROLE_NOT_ALLOWED
        return None

    def _greet(self, live: LiveRoom, call: Call) -> None:
        """The policy; then, to somebody who is in the room already, who and what is there, else the preview."""
        client, session = call.client, live.session
        peer = session.peers.get(client.id) if session is not None else None
        role = peer.role if peer is not None else client.person.role
        call.socket.notify("on-policy-change", wire.policy(live.template, role))
        if client.joined and client.socket is call.socket:
            self._back(call)
        elif not client.joined:
            call.socket.notify("room-info", wire.room_info(live.room, large=is_large(live.room, live.told, self._full)))
            for method, params in wire.preview(live.room, live.told, live.template.settings.room_state).items():
                call.socket.notify(method, params)

    def _back(self, call: Call) -> None:
        """A joined client has a socket again. Without transports it has one grace time to build new ones."""
        client, rooms = call.client, self.service.rooms
        if client.media is None and uses_media(call.role()):
            actions.lose(rooms, client.room_id, client.id, Loss.MEDIA)
        actions.regain(rooms, client.room_id, client.id, Loss.WEBSOCKET, Loss.SERVER)
        membership.welcome(call)
        self.service.mediation.back(client)
        metadata.tell_all(call)

    async def _handle(self, socket: Socket, frame: Frame) -> Answer:
        call = self._calls[socket]
        speaks = frame.method not in {"join", "analytics"}
        if speaks and self.service.registry.take_over(call.client, socket) and call.client.joined:
            self._back(call)
        return await call.client.repeats.once(socket, frame, lambda: dispatch(call, frame))

    def _forget_store(self, _: LiveRoom, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Closed):
                self.service.stores.drop(outcome.session.id)


def _present(live: LiveRoom, peer_id: str) -> bool:
    return live.session is not None and peer_id in live.session.peers
