"""Handing out recordings that lie in the local folder, to whoever has a link that we signed.

Owns: `GET` and `HEAD` of `/files/<key>`.

Always holds: without a valid signature the answer is 403, whether there is such a file or not; ranges, conditions and
content types are as RFC 9110 says (`storage/serving.py`). No token is needed: the link is one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final

from litestar import Request, Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from callboard.storage import Folder, NoSuchObjectError, StorageError
from callboard.storage.errors import InvalidKeyError
from callboard.storage.links import InvalidLinkError
from callboard.storage.serving import Answer, answer

FILES: Final = "/files"


def file_handlers(folder: Folder) -> list[HTTPRouteHandler]:
    """The routes for the objects of `folder`."""

    async def found(request: Request[Any, Any, Any], key: str) -> Answer | Response[bytes]:
        query = request.query_params
        try:
            folder.check_link(key, query.get("expires", ""), query.get("signature", ""))
        except InvalidLinkError as error:
            return _refused(403, str(error))
        try:
            entry, kind = await folder.head(key), await folder.content_type(key)
        except (NoSuchObjectError, InvalidKeyError):
            return _refused(404, "there is no such file")
        except StorageError as error:
            return _refused(503, error.what)
        headers = {name.lower(): value for name, value in request.headers.items()}
        return answer(request.method, headers, entry, kind)

    @route(FILES + "/{key:path}", http_method=["GET", "HEAD"], include_in_schema=False)
    async def read(request: Request[Any, Any, Any], key: str) -> Response[Any]:
        told = await found(request, key.removeprefix("/"))
        if isinstance(told, Response):
            return told
        if not told.length:
            return Response(b"", status_code=told.status, headers=told.headers)
        return Stream(_bytes(folder, key.removeprefix("/"), told), status_code=told.status, headers=told.headers)

    return [read]


async def _bytes(folder: Folder, key: str, told: Answer) -> AsyncIterator[bytes]:
    async with aclosing(folder.read(key, told.start, told.length)) as blocks:
        async for block in blocks:
            yield block


def _refused(status: int, why: str) -> Response[bytes]:
    return Response(why.encode(), status_code=status, media_type="text/plain; charset=utf-8")
