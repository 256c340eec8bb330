"""The page over HTTP: `/meeting/<room code>`, its files, and where its client sends feedback (signal.md §8.2, §8.4).

Owns: `meeting_handlers`.

Always holds: the page is the same for every room code, and says nothing about it: whether there is such a code, the
client finds out at `/v2/token`, which is what counts attempts. Nothing here needs a token or reads the database.
"""

from __future__ import annotations

from typing import Any

from litestar import HttpMethod, Request, Response, post, route
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from callboard.meeting.assets import Asset, Built
from callboard.meeting.missing import MISSING_PAGE
from callboard.meeting.policy import asset_headers, page_headers

READ = [HttpMethod.GET, HttpMethod.HEAD]
HTML = "text/html"

AnyRequest = Request[Any, Any, Any]


def websocket_origin(endpoint: str, scheme: str, host: str) -> str:
    """The origin of the WebSocket: of `endpoint` when one is set, else of the request that asked for the page."""
    if endpoint:
        return "/".join(endpoint.split("/", 3)[:3])
    return f"{'wss' if scheme == 'https' else 'ws'}://{host}"


def accepts_gzip(header: str) -> bool:
    """Whether an `Accept-Encoding` header takes gzip (RFC 9110 §12.5.3)."""
    for part in header.lower().split(","):
        coding, _, quality = part.partition(";")
        if coding.strip() in {"gzip", "*"}:
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def asset_answer(name: str, asset: Asset, accepted: str) -> Response[bytes]:
    """The file, compressed when there is a smaller form of it and the other side takes it."""
    headers = asset_headers(name)
    content = asset.content
    if asset.gzipped is not None:
        headers["vary"] = "accept-encoding"
        if accepts_gzip(accepted):
            headers["content-encoding"] = "gzip"
            content = asset.gzipped
    return Response(content, headers=headers, media_type=asset.media_type)


def meeting_handlers(built: Built | None, endpoint: str = "") -> list[HTTPRouteHandler]:
    """The routes. `built` is what `load` found; `endpoint` the public address of the WebSocket, "" for the host that
    was asked."""

    @route("/meeting/{room_code:str}", http_method=READ, include_in_schema=False)
    async def page(request: AnyRequest, room_code: FromPath[str]) -> Response[bytes]:  # noqa: ARG001 - the page reads it itself
        """The meeting page."""
        headers = page_headers(websocket_origin(endpoint, request.url.scheme, request.headers.get("host", "")))
        if built is None:
            return Response(MISSING_PAGE, status_code=503, headers=headers, media_type=HTML)
        return Response(built.page, headers=headers, media_type=HTML)

    @route("/meeting/static/{name:str}", http_method=READ, include_in_schema=False)
    async def asset(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
        """A file of the page."""
        found = built.assets.get(name) if built is not None else None
        if found is None:
            raise NotFoundException
        return asset_answer(name, found, request.headers.get("accept-encoding", ""))

    @post("/v2/client/feedback", status_code=200, include_in_schema=False)
    async def feedback() -> dict[str, str]:
        """What somebody thought of a call: the page may ask, nobody here keeps it."""
        return {}

    return [page, asset, feedback]
