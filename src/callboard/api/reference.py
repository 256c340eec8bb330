"""`docs/rest.md`: what of the REST API is here, made from the routes.

Owns: the page, and the description of the API with nothing behind it.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from http import HTTPStatus
from typing import Any, Final

from callboard.api.app import api
from callboard.api.deps import Deps
from callboard.api.description import completed

PAGE: Final = "rest.md"
METHODS: Final = ("get", "post", "put", "patch", "delete")

TEXT: Final = """# The REST API

Made by `make docs` out of the routes and `src/callboard/api/reference.py`; a test compares it.

The API is the seed platform's REST API v2: an application that was written for it changes its base URL. The whole of
it is described, with all types, ranges and defaults, by the server itself: `GET /v2/openapi.json` (OpenAPI 3.1).
What is answered 501 is not here yet.

## Asking

* Every request needs a management token, `Authorization: Bearer <token>` (`callboard token` mints one), but those that
  say otherwise below. Bodies are JSON, whatever the content type says, of at most `limits.max_body_bytes`.
* Every error is `{"code": <HTTP status>, "message": …, "details": [where, why, and what is allowed, …]}`. A key that
  nobody knows is an error: what was meant is in the details. A refused request has changed nothing.
* `400` wrong or clashing, `401` no valid token, `403` switched off or not allowed, `404` not there, `409` and `422` see
  below, `413` too long, `429` too often (`retry-after`), `501` not here yet, `503` ask again in a second.

## Lists

* Most lists are newest first: `limit` (10 by default; 10 to 100, others are moved into that) and `start`, the `last` of
  the page before; `last` is "" when nothing follows. Room codes and the lists of a poll allow a `limit` from 1.
* `GET /v2/analytics/events` is oldest first: `start` is the `next` of the page before, for 24 hours; its pages are of
  what there was when the first one was asked for. `GET /v2/events` is the ledger: see `events/README.md`.

## Sending a POST twice

A `POST` with a header `Idempotency-Key` (1 to 255 printable ASCII characters, such as a UUID) does its work once: who
sends it again, with the same key, path and body, gets the first answer again, with `Idempotent-Replayed: true`.

* Kept for 24 hours, and of every token of the workspace: two programs must not use one key for two things.
* The same key with another body (or query) is `422`. While the first request is still at work, a second one with the
  same key waits for it up to 10 seconds, and is `409` after that; whichever nodes of a shared database they are at.
* Answers 2xx and 4xx are kept, but for 401, 408, 409, 413, 422 and 429; a 5xx is not kept: send it again.
* Before the work begins the key is stored as begun, so a server that dies in between leaves it so. What it did then is
  not known: a repetition is answered `409` with just that in the details, and does nothing; look, and use a new key.
  A change that was made and an answer that was given are never parted otherwise.

## Choices where the platform's documentation is silent

* A part of a template (`roles/<name>`, `settings`, `destinations`) is changed by what a body names: each part that is
  named is replaced whole, the others stay. `POST /v2/templates/<id>` replaces all.
* Renaming a role renames it wherever the template names it. The last role, and one that a recording or a destination
  names, is not deleted.
* A secret is shown as `********`; sent back, that means: as it was.
* Filters that are not given choose nothing: `GET /v2/rooms` has disabled rooms too, `GET /v2/sessions` closed sessions.
* Ending a room, removing peers and changing one are durable when they are answered, although the answers' words, which
  clients know, promise less.

## Limits

One workspace is one account: rates are limited where requests come without a management token (`/v2/token`, client
reports, the meeting page's signalling), not for its holder. Analytics are kept for 30 days.

## All requests
"""


class Nobody:
    """Stands where a part of the server would."""

    def __getattr__(self, _: str) -> Nobody:
        return self


def described() -> dict[str, Any]:
    """The API's description (OpenAPI). Its handlers have nobody behind them; none is called."""
    parts: dict[str, Any] = {
        field.name: Nobody() for field in fields(Deps) if field.default is MISSING and field.default_factory is MISSING
    }
    return completed(api(Deps(**parts)).openapi_schema.to_schema())


def table(document: dict[str, Any]) -> str:
    """All operations, by theme, each with whether it is here."""
    themes: dict[str, list[str]] = {}
    for path, operations in sorted(document["paths"].items()):
        for method in METHODS:
            if method in operations:
                operation = operations[method]
                themes.setdefault(operation["tags"][0], []).append(_row(method, path, operation))
    head = "| request | what it does | here |\n| --- | --- | --- |"
    return "\n\n".join("\n".join((f"### {theme}\n", head, *themes[theme])) for theme in sorted(themes))


def page() -> str:
    """The page."""
    return f"{TEXT}\n{table(described())}\n"


def _row(method: str, path: str, operation: dict[str, Any]) -> str:
    here = "501" if str(int(HTTPStatus.NOT_IMPLEMENTED)) in operation["responses"] else "yes"
    openly = "" if operation.get("security") else ", without a token"
    return f"| `{method.upper()} {path}` | {operation['summary']} | {here}{openly} |"
