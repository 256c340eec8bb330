"""Webhook endpoints: where events are delivered to. Not part of the seed platform's API, which has none for
it.

Owns: the endpoint as REST shows it, and its routes.

Always holds: a secret is shown once, in the answer to the call that made it; a private key never. Header values, which
often are passwords, are never shown; the mask that stands for one, sent back, leaves it as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec
from litestar import Router, delete, get, post
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, Meta, Struct, UnsetType

from callboard.api.bodies import JsonBody
from callboard.api.deps import Deps
from callboard.api.errors import errors
from callboard.errors import NotFound
from callboard.events import timestamps
from callboard.rooms.templates import MASK
from callboard.webhooks.endpoint import Endpoint, EndpointRequest
from callboard.webhooks.keys import MAX_OVERLAP_SECONDS, OVERLAP_SECONDS, SigningKey
from callboard.webhooks.keys_text import Scheme
from callboard.webhooks.manner import Manner


class SigningKeyResponse(Struct, frozen=True, kw_only=True):
    """A key that signs every delivery (Standard Webhooks). After a rotation it says when it ends."""

    scheme: Annotated[Scheme, Meta(description="`v1` is HMAC-SHA256, `v1a` is Ed25519.")]
    public_key: Annotated[str, Meta(description="What verifies `v1a`.")] | UnsetType = UNSET
    created_at: str
    expires_at: str | UnsetType = UNSET


class RotationRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the present keys go on signing beside the new ones; 0 is not at all, for a secret that got out."""

    overlap_seconds: Annotated[float, Meta(ge=0, le=MAX_OVERLAP_SECONDS)] = OVERLAP_SECONDS


class TlsResponse(Struct, frozen=True, kw_only=True):
    """TLS of an endpoint that differs from the usual, in PEM. The key of our certificate is never shown."""

    authorities: Annotated[str, Meta(description="Verify the endpoint's certificate, in place of the system's.")] = ""
    certificate: Annotated[str, Meta(description="Ours, for endpoints that ask who we are (mTLS).")] = ""


class EndpointResponse(Struct, frozen=True, kw_only=True):
    """An endpoint. While it is not enabled, or is paused, its events wait."""

    id: str
    url: str
    headers: dict[str, str]
    enabled: bool
    paused: bool
    delivery: Annotated[Manner, Meta(description="How it is sent to, where that is not as for all.")]
    description: str
    template_id: Annotated[str, Meta(description='Only events of this template\'s rooms are sent. "": of all.')]
    room_id: Annotated[str, Meta(description='Only this room\'s events are sent. "": those of all.')]
    events: Annotated[
        tuple[str, ...], Meta(description="The types that are sent: names, `peer.*`, `!*.failure`. None: all.")
    ]
    signing_keys: list[SigningKeyResponse]
    tls: TlsResponse
    created_at: str
    updated_at: str


class ChangedEndpoint(EndpointResponse, frozen=True, kw_only=True):
    """An endpoint, with those of its signing secrets that are new with this call: they are not shown again."""

    secrets: tuple[str, ...] | UnsetType = UNSET


EMPTY: Final = RotationRequest()


class EndpointList(Struct, frozen=True, kw_only=True):
    data: list[EndpointResponse]


def shown(endpoint: Endpoint, keys: Sequence[SigningKey]) -> EndpointResponse:
    """The endpoint as REST shows it; `keys` are those that sign."""
    return EndpointResponse(
        id=endpoint.id,
        url=endpoint.url,
        headers=dict.fromkeys(endpoint.headers, MASK),
        enabled=endpoint.enabled,
        paused=endpoint.paused,
        delivery=endpoint.delivery,
        description=endpoint.description,
        template_id=endpoint.selection.template_id,
        room_id=endpoint.selection.room_id,
        events=endpoint.selection.events,
        tls=TlsResponse(authorities=endpoint.tls.authorities, certificate=endpoint.tls.certificate),
        signing_keys=[_shown_key(key) for key in keys],
        created_at=timestamps.stored(endpoint.created_at),
        updated_at=timestamps.stored(endpoint.updated_at),
    )


def _shown_key(key: SigningKey) -> SigningKeyResponse:
    return SigningKeyResponse(
        scheme=key.scheme,
        public_key=key.public_key or UNSET,
        created_at=timestamps.stored(key.created_at),
        expires_at=timestamps.stored(key.expires_at) if key.expires_at else UNSET,
    )


def changed(endpoint: Endpoint, keys: Sequence[SigningKey], before: Sequence[str] = ()) -> ChangedEndpoint:
    """The endpoint with those of its secrets that are not among those `before`."""
    one = shown(endpoint, keys)
    everything = {name: getattr(one, name) for name in one.__struct_fields__}
    new = tuple(key.text for key in keys if key.scheme == "v1" and key.text not in before)
    return ChangedEndpoint(**everything, secrets=new or UNSET)


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
    keys_of = deps.endpoints.keys_of

    @post(
        "/",
        status_code=200,
        operation_id="create_webhook_endpoint",
        summary="Create a webhook endpoint",
        responses=errors(),
        dto=JsonBody[EndpointRequest],
        return_dto=None,
    )
    async def create(data: JSONBody[EndpointRequest]) -> ChangedEndpoint:
        """Create an endpoint. It is sent every event that it selects from now on, in order, until each is accepted.

        `events` selects types, by name or pattern: `peer.*`, `*.success`, and with `!` in front what is left out. With
        a `room_id` or a `template_id`, only the events of this room, or of this template's rooms, are sent.
        """
        endpoint = await deps.endpoints.create(data)
        return changed(endpoint, keys_of(endpoint))

    @get("/", operation_id="list_webhook_endpoints", summary="List webhook endpoints", responses=errors())
    async def list_endpoints() -> EndpointList:
        """All endpoints, oldest first: there are at most 100."""
        return EndpointList(data=[shown(endpoint, keys_of(endpoint)) for endpoint in deps.endpoints.all()])

    @get(
        "/{endpoint_id:str}",
        operation_id="get_webhook_endpoint",
        summary="Get a webhook endpoint",
        responses=errors(404),
    )
    async def get_endpoint(endpoint_id: FromPath[str]) -> EndpointResponse:
        """The endpoint, without its secrets."""
        endpoint = endpoint_of(deps, endpoint_id)
        return shown(endpoint, keys_of(endpoint))

    @post(
        "/{endpoint_id:str}",
        status_code=200,
        operation_id="update_webhook_endpoint",
        summary="Update, enable or disable a webhook endpoint",
        responses=errors(404),
        dto=JsonBody[EndpointRequest],
        return_dto=None,
    )
    async def update(endpoint_id: FromPath[str], data: JSONBody[EndpointRequest]) -> ChangedEndpoint:
        """Change what the body says. While an endpoint is not enabled, its events wait."""
        before = endpoint_of(deps, endpoint_id)
        endpoint = await deps.endpoints.update(endpoint_id, unmasked(data, before.headers))
        return changed(endpoint, keys_of(endpoint), before.secrets)

    @post(
        "/{endpoint_id:str}/rotate-secret",
        status_code=200,
        operation_id="rotate_webhook_secret",
        summary="Give a webhook endpoint new signing keys",
        responses=errors(404),
        dto=JsonBody[RotationRequest],
        return_dto=None,
    )
    async def rotate(endpoint_id: FromPath[str], data: JSONBody[RotationRequest] = EMPTY) -> ChangedEndpoint:
        """Make a new key for each scheme that is on. Until the present ones expire, they sign beside the new ones."""
        before = endpoint_of(deps, endpoint_id)
        endpoint = await deps.endpoints.rotate(endpoint_id, data.overlap_seconds)
        return changed(endpoint, keys_of(endpoint), before.secrets)

    @post(
        "/{endpoint_id:str}/pause",
        status_code=200,
        operation_id="pause_webhook_endpoint",
        summary="Send nothing to a webhook endpoint until it is resumed",
        responses=errors(404),
    )
    async def pause(endpoint_id: FromPath[str]) -> EndpointResponse:
        """Its events wait, and are sent in order when it is resumed. Attempts that are under way end."""
        endpoint = await deps.endpoints.pause(endpoint_id)
        return shown(endpoint, keys_of(endpoint))

    @post(
        "/{endpoint_id:str}/resume",
        status_code=200,
        operation_id="resume_webhook_endpoint",
        summary="Send to a webhook endpoint again",
        responses=errors(404),
    )
    async def resume(endpoint_id: FromPath[str]) -> EndpointResponse:
        """Also for an endpoint that is held back because it failed: it is tried at once. A disabled one is refused."""
        endpoint = await deps.endpoints.resume(endpoint_id)
        return shown(endpoint, keys_of(endpoint))

    @delete(
        "/{endpoint_id:str}",
        operation_id="delete_webhook_endpoint",
        summary="Delete a webhook endpoint",
        responses=errors(404),
    )
    async def delete_endpoint(endpoint_id: FromPath[str]) -> None:
        """Delete the endpoint: events that wait for it are not sent any more."""
        await deps.endpoints.delete(endpoint_id)

    handlers = [create, list_endpoints, get_endpoint, update, rotate, pause, resume, delete_endpoint]
    return Router("/webhook-endpoints", route_handlers=handlers, tags=["Webhook endpoints"])
