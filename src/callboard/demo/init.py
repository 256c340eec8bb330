"""`GET /init`: where a client connects to, and what the server can do (signal.md §1).

Owns: `Init` and the request for it.

Always holds: an answer that the official client could not use is an error here too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from aiortc import RTCIceServer

from callboard.demo.http import request_json

USER_AGENT = "os:linux,sdk:callboard-demo,sdk_version:0.1.0"


@dataclass(frozen=True, slots=True)
class Init:
    """`endpoint` is a WebSocket URL; `flags` are the `enabledFlags` of signal.md §1.4."""

    endpoint: str
    ice_servers: tuple[RTCIceServer, ...]
    flags: frozenset[str]


async def ask_init(base_url: str, token: str, peer_id: str, deadline: float) -> Init:
    """Ask the server at `base_url`. `deadline` is in seconds.

    Raises `HttpError` when it refuses, `OSError` when it cannot be reached, and `ValueError` when its
    answer lacks what the official client cannot do without.
    """
    query = urlencode({"peer_id": peer_id, "user_agent_v2": USER_AGENT})
    url = f"{base_url.rstrip('/')}/init?{query}"
    return init_of(await request_json("GET", url, token=token, deadline=deadline))


def init_of(answer: Any) -> Init:
    """Read the body of the answer (signal.md §1.2). Raises `ValueError`."""
    match answer:
        case {"endpoint": str() as endpoint, "config": dict() as config}:
            rtc = answer.get("rtcConfiguration") or {}
            servers = tuple(_ice_server(server) for server in rtc.get("ice_servers", []))
            return Init(endpoint, servers, frozenset(config.get("enabledFlags", [])))
    raise ValueError("/init must answer with an endpoint and a config object")


def _ice_server(server: dict[str, Any]) -> RTCIceServer:
    return RTCIceServer(server["urls"], server.get("username"), server.get("credential"))
