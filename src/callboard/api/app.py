"""The REST API put together: its routes, and the Litestar application around them.

Owns: `routes`, `api`.
"""

from __future__ import annotations

from collections.abc import Sequence

from litestar import Litestar, Router
from litestar.config.cors import CORSConfig
from litestar.exceptions import HTTPException, NotFoundException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ASGIApp, ControllerRouterHandler

from callboard.api.active_rooms import acting_routes, seeing_routes
from callboard.api.analytics import analytics_router
from callboard.api.auth import management_only
from callboard.api.catalogue import WithWebhooks, catalogue_handlers
from callboard.api.deps import Deps
from callboard.api.errors import (
    DATABASE_FAULTS,
    AnyRequest,
    TooMany,
    Unavailable,
    failed,
    not_available,
    refused,
    rejected,
    too_many,
    unavailable,
)
from callboard.api.events import events_router
from callboard.api.headers import safe_headers
from callboard.api.health import health_handlers
from callboard.api.idempotency import Answers, Idempotent
from callboard.api.jobs import jobs_routes
from callboard.api.not_here import not_here_routes
from callboard.api.poll_questions import questions_routes
from callboard.api.polls import reading_routes, writing_routes
from callboard.api.recordings import recordings_routes
from callboard.api.room_codes import listing_routes, making_routes
from callboard.api.rooms import rooms_router
from callboard.api.sessions import sessions_router
from callboard.api.template_parts import parts_routes, roles_routes
from callboard.api.templates import templates_router
from callboard.api.token_exchange import exchange_handlers
from callboard.api.trigger import trigger_router
from callboard.api.webhook_attempts import attempts_router
from callboard.api.webhook_deliveries import deliveries_router
from callboard.api.webhook_endpoints import endpoints_router
from callboard.api.webhook_keys import key_handlers
from callboard.api.webhook_parked import parked_router
from callboard.api.webhook_replays import replays_router
from callboard.api.webhook_state import state_router
from callboard.errors import Refusal

DESCRIPTION = """Live audio and video rooms whose every moment reaches your backend as an event.

Every call but the health checks needs a management token: `Authorization: Bearer <token>`, a JWT that is signed with
the workspace's secret. Every error is `{code, message, details}`."""


def routes(deps: Deps) -> list[ControllerRouterHandler]:
    """The routes of the REST API, and those that need no token."""
    resources = [
        rooms_router(deps),
        templates_router(deps),
        roles_routes(deps),
        parts_routes(deps),
        seeing_routes(deps),
        acting_routes(deps),
        sessions_router(deps),
        endpoints_router(deps),
        attempts_router(deps),
        state_router(deps),
        events_router(deps),
        trigger_router(deps),
        deliveries_router(deps),
        parked_router(deps),
        replays_router(deps),
        making_routes(deps),
        listing_routes(deps),
        writing_routes(deps),
        reading_routes(deps),
        questions_routes(deps),
        analytics_router(deps),
        recordings_routes(deps),
        jobs_routes(deps),
        not_here_routes(),
    ]
    answers = Answers(deps.database, deps.clock, deps.vault)

    # A function, because Litestar copies a router deeply, and what its middleware is made with.
    def once(app: ASGIApp) -> ASGIApp:
        return Idempotent(app, answers=answers, tokens=deps.tokens, max_body_bytes=deps.max_body_bytes)

    v2 = Router(
        "/v2",
        route_handlers=resources,
        middleware=[once],
        guards=[management_only(deps.tokens)],
        security=[{"management": []}],
    )
    return [
        v2,
        *exchange_handlers(deps),
        *key_handlers(deps.endpoints),
        *health_handlers(deps.checks),
        *catalogue_handlers(),
    ]


async def no_page(request: AnyRequest) -> None:
    """Litestar has an HTML page for whatever is below the description; ours are answers in JSON."""
    if request.path_params:
        raise NotFoundException


def api(deps: Deps, handlers: Sequence[ControllerRouterHandler] = ()) -> Litestar:
    """The application: the REST API and whatever other `handlers` there are. `/v2/openapi.json` describes it, and the
    events that are sent; `/v2/asyncapi.json` describes those too.
    """
    return Litestar(
        [*routes(deps), *handlers],
        exception_handlers={
            Refusal: refused,
            HTTPException: rejected,
            TooMany: too_many,
            Unavailable: not_available,
            **dict.fromkeys(DATABASE_FAULTS, unavailable),
            Exception: failed,
        },
        before_send=[safe_headers],
        cors_config=CORSConfig(
            allow_origins=list(deps.cors_origins),
            expose_headers=["retry-after", "idempotent-replayed"],
            max_age=3600,
        ),
        openapi_config=OpenAPIConfig(
            title="Callboard",
            version="2",
            description=DESCRIPTION,
            openapi_router=Router(
                "/v2/openapi.json", route_handlers=[], include_in_schema=False, before_request=no_page
            ),
            use_handler_docstrings=True,
            render_plugins=[WithWebhooks()],
            components=Components(
                security_schemes={"management": SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")}
            ),
        ),
        request_max_body_size=deps.max_body_bytes,
        logging_config=None,
        debug=False,
    )
