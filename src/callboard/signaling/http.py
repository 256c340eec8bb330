"""The doors of signalling: `GET /init` and the WebSocket (signal.md §1, §2), for Litestar.

Owns: verifying the app token at both, what `/init` answers, and the adapter between Litestar's WebSocket and ours.

Always holds: `/init` never answers 404 (the SDK would wait for ever, signal.md §1.5) and never a 5xx of its own; an
upgrade is always accepted and an unwelcome client told why; a token never appears in a log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Any

from litestar import Request, Response, WebSocket, get, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.handlers import HTTPRouteHandler, WebsocketRouteHandler
from litestar.params import Parameter

from callboard.auth.tokens import AppClaims, InvalidToken, Tokens
from callboard.errors import Refusal
from callboard.rooms.live import LiveRooms
from callboard.signaling.frames import SignalError
from callboard.signaling.service import Signaling, turn_away
from callboard.signaling.socket import SocketClosed
from callboard.signaling.turn import Turn

PEER_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAX_AGENT = 1024


@dataclass(frozen=True, slots=True)
class Doors:
    """What the two handlers need. `endpoint` is the WebSocket's address as clients reach it; "" takes the request's
    own host. `ice_servers` are `RTCIceServer` objects for the clients; with `turn`, one more follows, with credentials
    of their own."""

    tokens: Tokens
    rooms: LiveRooms
    signaling: Signaling
    endpoint: str = ""
    ice_servers: tuple[dict[str, Any], ...] = field(default=())
    turn: Turn | None = None

    def ice_servers_for(self, peer_id: str) -> list[dict[str, Any]]:
        """What this client is told to use."""
        return [*self.ice_servers, *([self.turn.ice_server(peer_id)] if self.turn else [])]


class WebSocketTransport:
    """Litestar's WebSocket as a `socket.Transport`."""

    def __init__(self, websocket: WebSocket[Any, Any, Any]) -> None:
        self._websocket = websocket

    async def receive_text(self) -> str:
        try:
            event: Any = await self._websocket.receive()
        except (WebSocketDisconnect, OSError) as gone:
            raise SocketClosed from gone
        if event["type"] != "websocket.receive":
            raise SocketClosed
        text = event.get("text")
        if not isinstance(text, str):
            raise SignalError(400, "a binary frame: only text frames with JSON are understood")
        return text

    async def send_text(self, text: str) -> None:
        try:
            await self._websocket.send({"type": "websocket.send", "text": text, "bytes": None})
        except (WebSocketDisconnect, OSError, RuntimeError) as gone:
            raise SocketClosed from gone

    async def close(self, code: int, reason: str) -> None:
        """Close, unless the other side was quicker."""
        try:
            await self._websocket.close(code, reason)
        except (WebSocketDisconnect, OSError, RuntimeError):
            return


def refused(status: int, message: str) -> Response[Any]:
    """An error as the SDK reads it (signal.md §1.5)."""
    return Response({"code": status, "message": message}, status_code=status)


async def admitted(doors: Doors, token: str, peer_id: str) -> AppClaims:
    """The claims of a token that may connect now. Raises `SignalError` with an HTTP status.

    A peer that is in the room already may come back with a token that has expired meanwhile, and into a room that was
    disabled meanwhile (signal.md §1.5, platform.md §11.2 B14).
    """
    if not PEER_ID.fullmatch(peer_id):
        raise SignalError(400, "peer id: 1 to 64 letters, digits, - or _ are allowed")
    try:
        claims = doors.tokens.app_claims_once_valid(token)
        live = await doors.rooms.room(claims.room_id)
        if live.session is not None and peer_id in live.session.peers:
            return claims
        doors.tokens.verify_app_token(token)
    except InvalidToken as problem:
        raise SignalError(401, str(problem)) from None
    except Refusal:
        raise SignalError(403, "there is no such room in this workspace") from None
    if not live.room.enabled:
        raise SignalError(403, "the room is disabled")
    return claims


def websocket_endpoint(request: Request[Any, Any, Any]) -> str:
    """Our WebSocket as whoever sent this request reaches us."""
    scheme = "wss" if request.url.scheme == "https" else "ws"
    return f"{scheme}://{request.url.netloc}/ws"


def handlers(doors: Doors) -> list[HTTPRouteHandler | WebsocketRouteHandler]:
    """The two routes."""

    @get("/init", include_in_schema=False)
    async def init(
        request: Request[Any, Any, Any],
        peer_id: str = "",
        authorization: Annotated[str, Parameter(header="authorization")] = "",
    ) -> Response[Any]:
        """Where a client finds its WebSocket and ICE servers."""
        try:
            await admitted(doors, authorization.removeprefix("Bearer ").strip(), peer_id)
        except SignalError as problem:
            return refused(problem.code, problem.message)
        return Response(
            {
                "endpoint": doors.endpoint or websocket_endpoint(request),
                "rtcConfiguration": {"ice_servers": doors.ice_servers_for(peer_id)},
                "config": {"enabledFlags": doors.signaling.service.features.flags()},
            }
        )

    @websocket("/ws")
    async def connect(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        transport = WebSocketTransport(socket)
        peer_id = socket.query_params.get("peer", "")
        try:
            claims = await admitted(doors, socket.query_params.get("token", ""), peer_id)
        except SignalError as problem:
            await turn_away(transport, problem.code, problem.message)
            return
        agent = socket.query_params.get("user_agent_v2", "")[:MAX_AGENT]
        await doors.signaling.serve(transport, claims, peer_id, agent)

    return [init, connect]
