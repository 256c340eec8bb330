"""`GET /v2/layouts/ui`: what the meeting page shows to whom (signal.md §8.4).

Owns: the route. Always holds: it answers only to the token of a room, and only with that room's template.
"""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import HeaderParameter

from callboard.auth.tokens import InvalidToken, Tokens
from callboard.errors import Unauthorized
from callboard.meeting.layout import layouts
from callboard.rooms.store import Store


def layout_handler(tokens: Tokens, store: Store, app_id: str) -> HTTPRouteHandler:
    """The route. Refuses with `Unauthorized` and, for a room that is gone, `NotFound`."""

    @get("/v2/layouts/ui", include_in_schema=False)
    async def ui(authorization: Annotated[str, HeaderParameter(name="authorization")] = "") -> Response[Any]:
        """The layouts of the room's roles, that of the token's role first."""
        try:
            claims = tokens.verify_app_token(authorization.removeprefix("Bearer ").strip())
        except InvalidToken as problem:
            raise Unauthorized("Authentication error", (str(problem),)) from None
        room = await store.room(claims.room_id)
        found = layouts(await store.template(room.template_id), claims.role, app_id)
        return Response({"data": found, "limit": len(found), "last": ""})

    return ui
