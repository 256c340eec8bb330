"""A room code for a token: `POST /v2/token`, which clients call before they have one (platform.md §1.4).

Owns: the route. Without authentication, so it is limited per remote address.

Always holds: a token is given for a code that may be used now, for the room and role of that code, and for nothing
else. The body is read as JSON whatever its content type says: the official client sends none.
"""

from __future__ import annotations

from typing import Annotated

from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody
from msgspec import Meta, Struct

from callboard.api.bodies import JsonBody
from callboard.api.deps import Deps
from callboard.api.errors import errors
from callboard.api.limits import per_address
from callboard.api.rates import Rates

PER_SECOND = 5.0
BURST = 60
"""A classroom behind one address comes in at once; guessing codes of 47 bits gets nowhere at this rate."""
NO_TOKEN = 401


class TokenRequest(Struct, frozen=True, kw_only=True):
    """A room code, and `user_id`: the customer's own id for whoever joins."""

    code: str
    user_id: Annotated[str, Meta(max_length=256, pattern=r"^[^\x00]*$")] | None = None


class TokenResponse(Struct, frozen=True, kw_only=True):
    token: str


def exchange_handlers(deps: Deps) -> list[HTTPRouteHandler]:
    """The one route."""

    @post(
        "/v2/token",
        status_code=200,
        operation_id="token_by_room_code",
        summary="A token for a room code",
        responses={code: one for code, one in errors(403, 404, 429).items() if code != NO_TOKEN},
        tags=["Room codes"],
        dto=JsonBody[TokenRequest],
        return_dto=None,
        guards=[per_address(Rates(PER_SECOND, BURST))],
    )
    async def token_by_room_code(data: JSONBody[TokenRequest]) -> TokenResponse:
        """Needs no token: the code says who may. 404 for a code that does not exist, 403 for one that is disabled."""
        code = await deps.codes.usable(data.code)
        return TokenResponse(token=deps.tokens.mint_app_token(code.room_id, code.role, data.user_id))

    return [token_by_room_code]
