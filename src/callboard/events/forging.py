"""Events of what did not happen, for trying receivers: samples, with some of their fields said by somebody. Pure.

Owns: `forged`, `value_of`.

Always holds: what comes out is valid by the event's own type; what is wrong is said with its field and what is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import msgspec

from callboard.events.catalogue import event_type
from callboard.events.payload import Payload
from callboard.events.schema import sample


class InvalidField(ValueError):  # noqa: N818 - it names what is wrong, as the message does
    """A field that the event has not, or a value that it must not have. The message says which, and what is allowed."""


def forged(event: str, fields: Mapping[str, Any]) -> Payload:
    """The payload of the sample of `event`, with these fields instead of the sample's.

    Raises `UnknownEventType`, and `InvalidField` for a field it has not or a value of the wrong type.
    """
    payload = event_type(event)
    data = sample(event)["data"]
    for name in fields:
        _check(payload, name)
    try:
        return msgspec.convert(data | dict(fields), payload)
    except msgspec.ValidationError as error:
        raise InvalidField(str(error).replace("`$.", "`")) from None


def value_of(event: str, name: str, text: str) -> Any:
    """What `text`, as somebody typed it, is as a value of the field `name`: itself where the field is text, else JSON.

    Raises as `forged`.
    """
    payload = event_type(event)
    _check(payload, name)
    try:
        msgspec.convert(text, _type_of(payload, name))
    except msgspec.ValidationError as wrong:
        try:
            return msgspec.json.decode(text.encode())
        except msgspec.DecodeError:
            raise InvalidField(f"{name}: {wrong}, and {text[:40]!r} is no JSON") from None
    return text


def _check(payload: type[Payload], name: str) -> None:
    names = [field.encode_name for field in msgspec.structs.fields(payload)]
    if name not in names:
        near = get_close_matches(name[:100], names, n=3, cutoff=0.6)
        hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(names)}"
        raise InvalidField(f"{payload.EVENT} has no field {name[:40]!r}: {hint}")


def _type_of(payload: type[Payload], name: str) -> Any:
    return next(field.type for field in msgspec.structs.fields(payload) if field.encode_name == name)
