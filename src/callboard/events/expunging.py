"""Taking the content out of an event, and leaving what it was. Pure.

Owns: `expunged`.

Always holds: what is left is still valid by the event's own type, so no receiver breaks over it, and says what it is:
`is_expunged`. It tells that something of this type happened in this room and session, and when; not to whom, and not
what they said, were called or recorded.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from callboard.events.envelope import decode
from callboard.events.payload import Payload

KEPT: Final = frozenset(
    [
        *("account_id", "app_id", "room_id", "session_id", "template_id"),
        *("beam_id", "ingest_id", "job_id", "metadata_id", "recording_id", "transcription_id"),
    ]
)
"""Ids that point at nobody. Times, numbers and the words of closed lists (`reason`, `type`, …) stay, too."""


def expunged(body: bytes) -> bytes:
    """The event in `body` without its content. Of one that is expunged already, the same. Raises as `decode`."""
    payload = type(decode(body).data)
    envelope: dict[str, Any] = msgspec.json.decode(body)
    if envelope.get("is_expunged"):
        return body
    data = envelope["data"]
    for name, value in data.items():
        if name not in KEPT:
            data[name] = _emptied(payload, data, name, value)
    return msgspec.json.encode({**envelope, "is_expunged": True})


def _emptied(payload: type[Payload], data: dict[str, Any], name: str, value: Any) -> Any:
    """The value without what it says; itself where the event's type does not allow that, as for times."""
    if not isinstance(value, str | list):
        return value
    empty = type(value)()
    try:
        msgspec.convert(data | {name: empty}, payload)
    except msgspec.ValidationError:
        return value
    return empty
