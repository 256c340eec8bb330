"""What a client reports of its own troubles, as the analytics event that comes of it (platform.md §2.13). Pure.

Owns: which reports are kept, under which type, and what of them.

Always holds: an event has only the documented fields, each with its type and of bounded length, whatever the client
sent; tokens and queries of addresses are taken out. Who it is about comes from the token, not from what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import msgspec

MAX_TEXT: Final = 2048
MAX_PART: Final = 8192
"""Bytes of JSON of one of `audio`, `video`, `devices`, `transport_state`."""

TYPES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "publish.failed": ("client.publish.failed", "PUBLISH"),
        "subscribe.failed": ("client.subscribe.failed", "SUBSCRIBE"),
        "join.failed": ("client.join.failed", "JOIN"),
        "disconnected": ("client.disconnected", "RECONNECT_SIGNAL"),
        "connect.failed": ("client.connect.failed", "INIT"),
    }
)
"""By the client's own name for it: the event's type, and the action when the client says none."""

_TOKEN: Final = re.compile(r"eyJ[\w-]{4,}\.[\w-]+\.[\w-]*")
_QUERY: Final = re.compile(r"((?:https?|wss?)://[^\s?#\"']+)[?#][^\s\"']*")
_PARTS: Final = ("audio", "video", "devices", "transport_state")


@dataclass(frozen=True, slots=True)
class About:
    """Whom a report is about and where: what the server knows itself."""

    account_id: str
    room_id: str
    room_name: str
    template_id: str
    session_id: str
    peer_id: str
    user_id: str
    user_name: str
    role: str


def clean(value: object) -> str:
    """A text of a client, without what could be a secret and without NUL; "" for what is no text."""
    text = value if isinstance(value, str) else ""
    return _QUERY.sub(r"\1", _TOKEN.sub("…", text.replace("\0", "")))[:MAX_TEXT]


def client_event(
    name: str, info: Mapping[str, Any], about: About, agent: str = ""
) -> tuple[str, dict[str, Any]] | None:
    """(type, data) of the event, None when such a report is not kept."""
    if name not in TYPES:
        return None
    kind, action = TYPES[name]
    data: dict[str, Any] = {field: getattr(about, field) for field in About.__slots__}
    if not about.session_id:
        del data["session_id"]
    data |= {
        "error_code": _number(info.get("error_code")),
        "error_name": clean(info.get("error_name")),
        "error_message": clean(info.get("error_message")),
        "error_description": clean(info.get("error_description")),
        "is_terminal": info.get("is_terminal") is True,
        "action": clean(info.get("action")) or action,
        "domain": "HMS" if info.get("domain") == "HMS" else "CUSTOM",
    }
    if isinstance(info.get("endpoint"), str):
        data["endpoint"] = clean(info["endpoint"])
    if isinstance(info.get("retries_join"), int):
        data["retries_join"] = _number(info["retries_join"])
    for part in _PARTS:
        if part in info and (kept := _part(info[part])) is not None:
            data[part] = kept
    return kind, data | {"agent": agent_of(agent)}


def agent_of(text: str) -> dict[str, Any]:
    """What the client says it is (`os:web,sdk:web,…`, signal.md §1.2), by its keys, and whole as `string`."""
    text = clean(text)
    pairs = (part.partition(":") for part in text.split(","))
    found: dict[str, Any] = {key.strip(): value for key, sign, value in pairs if sign and key.strip()}
    if "is_prebuilt" in found:
        found["is_prebuilt"] = found["is_prebuilt"] == "true"
    return found | {"string": text} if text else {}


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53 else 0


def _part(value: object) -> object:
    """The part, cleaned, if it is an object or a text and not too long."""
    if isinstance(value, str):
        return clean(value)
    text = msgspec.json.encode(value).decode() if isinstance(value, dict) else ""
    if not text or len(text) > MAX_PART:
        return None
    return msgspec.json.decode(_QUERY.sub(r"\1", _TOKEN.sub("…", text.replace("\\u0000", ""))))
