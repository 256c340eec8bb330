"""What commands share that ask a running server: its address, a token, and what is wrong in words.

Owns: `Server`, its options, and `ask`.

Always holds: an error of the server is printed with its details and ends the command with exit code 1.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn
from urllib.parse import urlencode

import typer
from rich.console import Console

from callboard.cli.common import settings_from, tokens_of
from callboard.config import Settings
from callboard.demo.http import HttpError, request_json

ASK_SECONDS = 30.0

UrlOption = Annotated[
    str | None, typer.Option("--server", help="Address of the server. Without: the one in the settings.")
]
TokenOption = Annotated[
    str | None,
    typer.Option("--token", help="Management token. Without: CALLBOARD_TOKEN, or one minted from the settings."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print what the server answered, as JSON.")]


class Server(NamedTuple):
    """Whom to ask, and with what."""

    url: str
    token: str

    def ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: dict[str, Any] | None = None,
        seconds: float = ASK_SECONDS,
    ) -> Any:
        """The server's answer. If it refuses, or does not answer in `seconds`, the command ends."""
        given = {name: value for name, value in (query or {}).items() if value not in (None, "")}
        url = f"{self.url}{path}" + (f"?{urlencode(given)}" if given else "")
        try:
            return asyncio.run(request_json(method, url, token=self.token, body=body, deadline=seconds))
        except HttpError as error:
            fail(*_said(error))
        except ValueError as error:
            fail(str(error))


def server_of(url: str | None, token: str | None, config: Path | None) -> Server:
    """The server that the options name, or the settings. Raises `ConfigError`."""
    settings = settings_from(config)
    return Server(
        (url or _address(settings)).rstrip("/"), token or os.environ.get("CALLBOARD_TOKEN") or _minted(settings)
    )


def fail(message: str, *details: str) -> NoReturn:
    """Print why, and end."""
    Console(stderr=True, soft_wrap=True).print(
        f"callboard: {message}", *(f"\n  {detail}" for detail in details), sep="", markup=False, highlight=False
    )
    raise typer.Exit(1)


def _address(settings: Settings) -> str:
    server = settings.server
    scheme = "https" if server.tls_cert else "http"
    return server.public_url or f"{scheme}://{server.host}:{server.port}"


def _minted(settings: Settings) -> str:
    return asyncio.run(tokens_of(settings)).mint_management_token()


def _said(error: HttpError) -> tuple[str, ...]:
    """The message and the details of the server's error."""
    try:
        body = json.loads(error.body)
        return (f"{body['message']} ({error.status})", *(str(detail) for detail in body.get("details", ())))
    except (ValueError, TypeError, KeyError):
        return (str(error),)
