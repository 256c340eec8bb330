"""The events in the descriptions that the server gives of itself: OpenAPI's `webhooks`, and AsyncAPI.

Owns: `WithWebhooks`, `catalogue_handlers`. Both documents are made of the models in `events/`, once.
"""

from __future__ import annotations

from typing import Any

from litestar import MediaType, Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.plugins import JsonRenderPlugin

from callboard.api.description import completed
from callboard.events.asyncapi import asyncapi
from callboard.events.openapi import with_webhooks
from callboard.webhooks.operational_kinds import operational_kinds


class WithWebhooks(JsonRenderPlugin):
    """The OpenAPI document as Litestar makes it of the routes, and with it the events that are sent."""

    def __init__(self) -> None:
        super().__init__(path="/", media_type=MediaType.JSON)
        self._document: dict[str, Any] = {}

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The document as JSON."""
        if not self._document:
            self._document = with_webhooks(completed(openapi_schema), operational_kinds())
        return self.render_json(request, self._document)


def catalogue_handlers() -> list[HTTPRouteHandler]:
    """The route `/v2/asyncapi.json`, which needs no token."""
    document = asyncapi(others=operational_kinds())

    @get(
        "/v2/asyncapi.json",
        operation_id="get_asyncapi",
        summary="Get the AsyncAPI document",
        tags=["Events"],
    )
    async def get_asyncapi() -> dict[str, Any]:
        """All that endpoints are sent, as an AsyncAPI 3.0 document: messages, headers, schemas, samples."""
        return document

    return [get_asyncapi]
