"""A room code for a token: `POST /v2/token`, which clients call before they have one (platform.md §1.4).

Owns: the route. Without authentication, so it is limited per remote address.

Always holds: a token is given for a code that may be used now, for the room and role of that code, and for nothing
else. The body is read as JSON whatever its content type says: the official client sends none.
"""

from __future__ import annotations

import time
from typing import Annotated, Any

from litestar import Request, Response, post
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta, Struct

from callboard.api.bodies import read_body
from callboard.api.deps import Deps
from callboard.api.errors import Error, answer
from callboard.api.rates import Rates, counted_as
from callboard.api.refusals import RateLimited

PER_SECOND = 5.0
BURST = 60
"""A classroom behind one address comes in at once; guessing codes of 47 bits gets nowhere at this rate."""
TOO_MANY = 429


class TokenRequest(Struct, frozen=True, kw_only=True):
    """`user_id` is the customer's own id for whoever joins."""

    code: str
    user_id: Annotated[str, Meta(max_length=256, pattern=r"^[^\x00]*$")] | None = None


class TokenResponse(Struct, frozen=True, kw_only=True):
    token: str


def exchange_handlers(deps: Deps) -> list[HTTPRouteHandler]:
    """The one route."""
    rates = Rates(PER_SECOND, BURST)

    @post(
        "/v2/token",
        status_code=200,
        operation_id="token_by_room_code",
        summary="A token for a room code",
        tags=["Room codes"],
        include_in_schema=False,
    )
    async def token_by_room_code(request: Request[Any, Any, Any]) -> TokenResponse | Response[Error]:
        """Raises `NotFound` for a code that does not exist, `Forbidden` for one that is disabled."""
        address = request.client.host if request.client else ""
        if wait := rates.take(counted_as(address), time.monotonic()):
            limited = RateLimited(wait)
            return answer(TOO_MANY, limited.message, headers={"retry-after": str(limited.seconds)})
        wanted = read_body(await request.body(), TokenRequest)
        code = await deps.codes.usable(wanted.code)
        return TokenResponse(token=deps.tokens.mint_app_token(code.room_id, code.role, wanted.user_id))

    return [token_by_room_code]
