"""The words on the API data channel (signal.md §5.5).

Owns: `Preference`, `parse_request`, `reply_ok`, `reply_error`.

Always holds: pure. What a client sends is a `Request`, a `Refusal` that can be answered, or `None`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

Layer = Literal["none", "low", "medium", "high"]

MAX_REQUEST: Final = 4096
NOT_FOUND: Final = 404
BAD_REQUEST: Final = 400

_LAYERS: Final[tuple[Layer, ...]] = ("none", "low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Preference:
    """How a peer wants to receive a track. `layer` matters for simulcast video only."""

    send: bool
    layer: Layer = "high"


@dataclass(frozen=True, slots=True)
class Request:
    """`prefer-video-track-state` or `prefer-audio-track-state`."""

    id: str
    kind: Literal["audio", "video"]
    track_id: str
    preference: Preference


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that cannot be carried out, and why."""

    id: str
    message: str


class _Params(msgspec.Struct):
    track_id: str
    max_spatial_layer: Layer = "high"
    subscribed: bool = True


class _Call(msgspec.Struct):
    id: str
    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")


def parse_request(text: str) -> Request | Refusal | None:
    """The request in a message, `None` when there is not even an id to answer to."""
    try:
        call = msgspec.json.decode(text, type=_Call)
    except msgspec.MsgspecError:
        return None
    if not call.id or len(call.id) > 128:
        return None
    try:
        params = msgspec.json.decode(call.params, type=_Params)
    except msgspec.MsgspecError as error:
        return Refusal(call.id, f"the params are unusable: {error}"[:200])
    match call.method:
        case "prefer-video-track-state":
            layer = params.max_spatial_layer
            return Request(call.id, "video", params.track_id, Preference(layer != "none", layer))
        case "prefer-audio-track-state":
            return Request(call.id, "audio", params.track_id, Preference(params.subscribed))
        case _:
            return Refusal(call.id, f"unknown method {call.method[:60]!r}")


def reply_ok(request_id: str) -> str:
    """An empty result: the client matches on the id and wants nothing else."""
    return _encode({"id": request_id, "jsonrpc": "2.0", "result": {}})


def reply_error(request_id: str, code: int, message: str) -> str:
    """404 the client takes as done, 500 and 429 it tries again, others it throws (signal.md §5.5)."""
    return _encode({"id": request_id, "jsonrpc": "2.0", "error": {"code": code, "message": message}})


def choose_substream(layer: Layer, count: int, present: frozenset[int]) -> int | None:
    """Which of `count` simulcast layers (0 the lowest) to ask Janus for; `None` when there is nothing to
    choose.

    While a layer is not sent Janus makes do with a lower one, but if all that is `present` is higher it
    demands key frames without end (janus.md §2b): then the lowest that is present. Nothing present means that
    nobody knows.
    """
    if count < 2 or layer == "none":
        return None
    top = count - 1
    wanted = {"low": 0, "medium": top // 2, "high": top}[layer]
    return max(wanted, min(present)) if present else wanted


def _encode(message: dict[str, Any]) -> str:
    return msgspec.json.encode(message).decode()
