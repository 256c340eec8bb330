"""`POST /v2/client/report`: what a client reports while it has no WebSocket (signal.md §8.2).

Owns: the route. The official client has the platform's host built in; whoever points that name here gets these too.

Always holds: who a report is about is what its token says, but for the peer id, which only the client knows: one that
is another user's in the room is not taken. Bounded in size and rate. A client that is told anything but 200 or 401
keeps its report and sends it again.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, post
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta, Struct

from callboard.analytics.intake import Analytics
from callboard.api.bodies import read_body
from callboard.api.limits import per_address
from callboard.api.rates import Rates
from callboard.auth.tokens import Tokens
from callboard.errors import NotFound, Unauthorized
from callboard.rooms.live import LiveRoom, LiveRooms
from callboard.rooms.reports import Person

PER_SECOND: Final = 2.0
BURST: Final = 120
MAX_AGENT: Final = 1024


class ReportingPeer(Struct, frozen=True, kw_only=True):
    """Of what the client says of itself, what its token does not say."""

    peer_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{0,64}$(?!\n)")] = ""
    user_name: Annotated[str, Meta(max_length=256, pattern=r"^[^\x00]*$")] = ""


class ClientReport(Struct, frozen=True, kw_only=True):
    """A report; whatever else the client sends is not looked at."""

    event: Annotated[str, Meta(max_length=128)]
    payload: msgspec.Raw = msgspec.Raw(b"{}")
    peer: ReportingPeer = ReportingPeer()


def report_handler(tokens: Tokens, rooms: LiveRooms, analytics: Analytics) -> HTTPRouteHandler:
    """The one route."""

    @post(
        "/v2/client/report",
        status_code=200,
        include_in_schema=False,
        guards=[per_address(Rates(PER_SECOND, BURST))],
    )
    async def report(request: Request[Any, Any, Any]) -> Response[Any]:
        """Raises `Unauthorized`, `Invalid`."""
        claims = tokens.verify_app_token(request.headers.get("authorization", "").removeprefix("Bearer ").strip())
        try:
            live = await rooms.room(claims.room_id)
        except NotFound:
            raise Unauthorized("Token validation error", ("there is no such room",)) from None
        said = read_body(await request.body(), ClientReport)
        user_id = claims.user_id or ""
        person = Person(_own(live, said.peer.peer_id, user_id), user_id, said.peer.user_name, role=claims.role)
        agent = request.headers.get("user_agent_v2", "")[:MAX_AGENT]
        analytics.hear(live, person, said.event, said.payload, agent)
        return Response({})

    return report


def _own(live: LiveRoom, peer_id: str, user_id: str) -> str:
    """The peer id, or "" when it is somebody else's who is in the room."""
    peer = live.session.peers.get(peer_id) if live.session is not None else None
    return peer_id if peer is None or peer.user_id == user_id else ""
