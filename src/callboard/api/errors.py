"""Errors as the REST API tells them: `{code, message, details}` (platform.md §1.5).

Owns: the mapping from what was raised to what is answered.

Always holds: `code` is the HTTP status. What went wrong inside is logged, not told.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import KwargDefinition
from litestar.typing import FieldDefinition
from msgspec import Meta, Struct

from callboard.database import DatabaseBusy, DatabaseStopped, QueryFailed
from callboard.errors import Conflict, Forbidden, Invalid, NotFound, Refusal, Unauthorized
from callboard.validation import clipped
from callboard.wording import allowed

log = logging.getLogger("callboard.api")

# A clash is 400, as for a second stream key or a template's name (platform.md §3.9, §3.10): 409 is not used.
STATUS: Final[Mapping[type[Refusal], int]] = {
    Invalid: 400,
    Conflict: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
}

AnyRequest = Request[Any, Any, Any]


class TooMany(Exception):  # noqa: N818 - the answer to a request, as refusals are
    """Not now: `message` says of what there is too much, `seconds` when to ask again. Answered 429."""

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message)
        self.message = message
        self.seconds = seconds


class Unavailable(Exception):  # noqa: N818 - the answer to a request, as refusals are
    """A part of the server that it needs is not there. Answered 503."""


DATABASE_FAULTS: Final = (DatabaseStopped, DatabaseBusy, QueryFailed)


class Error(Struct, frozen=True, kw_only=True):
    """What every error looks like. `details` say where, why, and what is allowed."""

    code: int
    message: str
    details: tuple[str, ...] = ()


def answer(
    code: int, message: str, details: Iterable[str] = (), headers: Mapping[str, str] | None = None
) -> Response[Error]:
    """An error to be sent."""
    body = Error(code=code, message=message, details=tuple(details))
    return Response(body, status_code=code, media_type="application/json", headers=dict(headers or {}))


def errors(*codes: int) -> dict[int, ResponseSpec]:
    """For `responses=` of a handler: which errors it answers with, besides those that any can."""
    return {
        code: ResponseSpec(Error, description=HTTPStatus(code).phrase, generate_examples=False)
        for code in (400, 401, *codes)
    }


def refused(_: AnyRequest, refusal: Refusal) -> Response[Error]:
    """An action refused."""
    code = next((STATUS[kind] for kind in type(refusal).__mro__ if kind in STATUS), 400)
    headers = {"www-authenticate": "Bearer"} if code == HTTPStatus.UNAUTHORIZED else None
    return answer(code, refusal.message, refusal.details, headers)


def too_many(_: AnyRequest, error: TooMany) -> Response[Error]:
    """Asked too often, or too much at the same time."""
    return answer(429, error.message, headers={"retry-after": str(error.seconds)})


def not_available(_: AnyRequest, error: Unavailable) -> Response[Error]:
    """A part is missing."""
    return answer(503, str(error), headers={"retry-after": "5"})


def rejected(request: AnyRequest, error: HTTPException) -> Response[Error]:
    """The framework rejected the request before any of our code saw it."""
    if isinstance(error, ValidationException):
        return answer(400, "Invalid parameter", _parameter_problems(request, error))
    if error.status_code == HTTPStatus.NOT_FOUND:
        place = clipped(f"{request.method} {request.url.path}")
        return answer(404, "Not Found", (f"there is no {place}",))
    message = HTTPStatus(error.status_code).phrase
    return answer(error.status_code, message, _said(error, message), error.headers)


def unavailable(request: AnyRequest, error: Exception) -> Response[Error]:
    """The database stopped (whoever supervises us will start us again), is too busy, or could not be read."""
    log.error("%s %s: the database: %r", request.method, request.url.path, error, exc_info=error.__cause__)
    details = ("the database does not answer at the moment: try again",)
    return answer(503, "Service Unavailable", details, {"retry-after": "1"})


def failed(request: AnyRequest, error: Exception) -> Response[Error]:
    """A fault of ours."""
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return answer(500, "Internal Server Error")


def _said(error: HTTPException, message: str) -> list[str]:
    return [error.detail] if error.detail and error.detail != message else []


def _constrained(parameter: FieldDefinition) -> Any:
    """The parameter's type with the bounds that Litestar keeps beside it."""
    bounds = parameter.kwarg_definition
    if not isinstance(bounds, KwargDefinition) or bounds.ge is None or bounds.le is None:
        return parameter.annotation
    return Annotated[parameter.annotation, Meta(ge=bounds.ge, le=bounds.le)]


def _parameter_problems(request: AnyRequest, error: ValidationException) -> list[str]:
    parameters = request.route_handler.parsed_fn_signature.parameters
    found = []
    for extra in error.extra if isinstance(error.extra, list) else []:
        name = str(extra.get("key", "")).partition(".")[0]
        if name == "data":
            found.append("a JSON object is expected as the body")
        elif name in parameters:
            found.append(f"{name}: must be {allowed(_constrained(parameters[name]))}")
        else:
            found.append(str(extra.get("message", "")))
    return found or _said(error, "")
