"""Webhook endpoints: where events are delivered to. Not part of the seed platform's API, which has none for
it.

Owns: the endpoint as REST shows it, and its routes.

Always holds: a secret is shown once, in the answer to the creation. Header values, which often are
passwords, are never shown; the mask that stands for one, sent back, leaves it as it was.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from litestar import Router, delete, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Struct, UnsetType

from callboard.api.bodies import JsonBody
from callboard.api.deps import Deps
from callboard.api.errors import errors
from callboard.errors import NotFound
from callboard.events import timestamps
from callboard.rooms.templates import MASK
from callboard.webhooks.endpoint import Endpoint, EndpointRequest


class EndpointResponse(Struct, frozen=True, kw_only=True):
    """An endpoint. While it is not enabled, its events wait."""

    id: str
    url: str
    headers: dict[str, str]
    enabled: bool
    description: str
    created_at: str
    updated_at: str


class CreatedEndpoint(EndpointResponse, frozen=True, kw_only=True):
    """A new endpoint with its signing secrets (Standard Webhooks): they are not shown again."""

    secrets: tuple[str, ...]


class EndpointList(Struct, frozen=True, kw_only=True):
    data: list[EndpointResponse]


def shown(endpoint: Endpoint) -> EndpointResponse:
    """The endpoint as REST shows it."""
    return EndpointResponse(
        id=endpoint.id,
        url=endpoint.url,
        headers=dict.fromkeys(endpoint.headers, MASK),
        enabled=endpoint.enabled,
        description=endpoint.description,
        created_at=timestamps.stored(endpoint.created_at),
        updated_at=timestamps.stored(endpoint.updated_at),
    )


def unmasked(request: EndpointRequest, present: Mapping[str, str]) -> EndpointRequest:
    """The request with the present values of headers in place of masks."""
    if isinstance(request.headers, UnsetType):
        return request
    headers = {name: present.get(name, value) if value == MASK else value for name, value in request.headers.items()}
    return msgspec.structs.replace(request, headers=headers)


def endpoint_of(deps: Deps, endpoint_id: str) -> Endpoint:
    """The endpoint. Raises `NotFound`."""
    endpoint = deps.endpoints.get(endpoint_id)
    if endpoint is None:
        raise NotFound("endpoint not found")
    return endpoint


def endpoints_router(deps: Deps) -> Router:
    """The routes below `/v2/webhook-endpoints`."""

    @post(
        "/",
        status_code=200,
        operation_id="create_webhook_endpoint",
        summary="Create a webhook endpoint",
        responses=errors(),
        dto=JsonBody[EndpointRequest],
        return_dto=None,
    )
    async def create(data: JSONBody[EndpointRequest]) -> CreatedEndpoint:
        """Create an endpoint. It is sent every event from now on, in order, until each is accepted."""
        endpoint = await deps.endpoints.create(data)
        one = shown(endpoint)
        everything = {name: getattr(one, name) for name in one.__struct_fields__}
        return CreatedEndpoint(**everything, secrets=endpoint.secrets)

    @get("/", operation_id="list_webhook_endpoints", summary="List webhook endpoints", responses=errors())
    async def list_endpoints() -> EndpointList:
        """All endpoints, oldest first: there are at most 100."""
        return EndpointList(data=[shown(endpoint) for endpoint in deps.endpoints.all()])

    @get(
        "/{endpoint_id:str}",
        operation_id="get_webhook_endpoint",
        summary="Get a webhook endpoint",
        responses=errors(404),
    )
    async def get_endpoint(endpoint_id: FromPath[str]) -> EndpointResponse:
        """The endpoint, without its secrets."""
        return shown(endpoint_of(deps, endpoint_id))

    @post(
        "/{endpoint_id:str}",
        status_code=200,
        operation_id="update_webhook_endpoint",
        summary="Update, enable or disable a webhook endpoint",
        responses=errors(404),
        dto=JsonBody[EndpointRequest],
        return_dto=None,
    )
    async def update(endpoint_id: FromPath[str], data: JSONBody[EndpointRequest]) -> EndpointResponse:
        """Change what the body says. While an endpoint is not enabled, its events wait."""
        request = unmasked(data, endpoint_of(deps, endpoint_id).headers)
        return shown(await deps.endpoints.update(endpoint_id, request))

    @delete(
        "/{endpoint_id:str}",
        operation_id="delete_webhook_endpoint",
        summary="Delete a webhook endpoint",
        responses=errors(404),
    )
    async def delete_endpoint(endpoint_id: FromPath[str]) -> None:
        """Delete the endpoint: events that wait for it are not sent any more."""
        await deps.endpoints.delete(endpoint_id)

    handlers = [create, list_endpoints, get_endpoint, update, delete_endpoint]
    return Router("/webhook-endpoints", route_handlers=handlers, tags=["Webhook endpoints"])
