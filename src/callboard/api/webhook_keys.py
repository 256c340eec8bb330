"""The public keys of webhook endpoints at a well-known address, for receivers that verify `v1a` signatures.

Owns: `/.well-known/callboard/webhook-keys`. Needs no token: there is nothing secret in it, and a receiver need not be
given one only to learn of a rotation.
"""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.datastructures import CacheControlHeader
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.keys_public import PATH, KeySet, published

CACHE_SECONDS = 300


def key_handlers(endpoints: Endpoints) -> list[HTTPRouteHandler]:
    """The one route."""

    @get(
        PATH,
        operation_id="list_webhook_keys",
        summary="Public keys of webhook endpoints",
        tags=["Webhook endpoints"],
        cache_control=CacheControlHeader(public=True, max_age=CACHE_SECONDS),
    )
    async def webhook_keys(
        endpoint_id: Annotated[str, QueryParameter(description="Only keys of this endpoint.")] = "",
    ) -> KeySet:
        """The keys that sign now, of the endpoints that have `v1a` on: a JSON Web Key Set (RFC 7517)."""
        wanted = [one for one in endpoints.sent_to() if endpoint_id in {"", one.id}]
        return KeySet(keys=[key for one in wanted for key in published(one.id, endpoints.keys_of(one))])

    return [webhook_keys]
