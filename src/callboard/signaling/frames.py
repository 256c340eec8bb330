"""JSON-RPC frames as the client SDK speaks them (signal.md §2.2). Pure.

Owns: reading a client's frame, writing ours.

Always holds: a result is truthy (the SDK takes a falsy one for a failure), a notification has no id (the SDK would
drop it), and what a client sends is of bounded length and has a method.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

UNREADABLE: Final = (msgspec.MsgspecError, RecursionError, UnicodeError)
"""What decoding raises for what a client may send: not JSON, not such a thing, nested too deep, not Unicode."""

Id = Annotated[str, msgspec.Meta(max_length=128)]


class SignalError(Exception):
    """What a call is answered with when it cannot be done: an HTTP-like code (signal.md §3.1) and a sentence.

    4xx: the client must not try again; 500 to 599 and 429: it does, up to three times; 421: wrong node.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Frame(msgspec.Struct, frozen=True):
    """A call (with an id) or a notify (without) of a client."""

    method: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    params: msgspec.Raw = msgspec.Raw(b"{}")
    id: Id | None = None


_decoder = msgspec.json.Decoder(Frame)
_encode = msgspec.json.encode


def read(text: str, most: int) -> Frame:
    """The frame. Raises `SignalError` 413 (longer than `most` characters) or 400 (not such a frame)."""
    if len(text) > most:
        raise SignalError(413, f"the frame has {len(text)} characters: at most {most} are allowed")
    try:
        return _decoder.decode(text)
    except UNREADABLE as error:
        raise SignalError(400, f"not a JSON-RPC frame with a method: {error}") from None


def result(call_id: str, value: object) -> bytes:
    """The answer to a call. An empty or missing value becomes `{"success": true}`: it has to be truthy."""
    return _encode({"id": call_id, "jsonrpc": "2.0", "result": value or {"success": True}})


def error(call_id: str, problem: SignalError) -> bytes:
    """The answer to a call that failed."""
    return _encode({"id": call_id, "jsonrpc": "2.0", "error": {"code": problem.code, "message": problem.message}})


def notification(method: str, params: object) -> bytes:
    """Something that the client is told unasked."""
    return _encode({"method": method, "params": params, "jsonrpc": "2.0"})


def params(kind: type[Any], raw: msgspec.Raw) -> Any:
    """The parameters as `kind`. Raises `SignalError` 400 that says what is wrong where."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except UNREADABLE as problem:
        raise SignalError(400, f"invalid params: {problem}") from None
