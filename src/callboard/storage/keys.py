"""What a key is: the name of an object in its storage. Pure.

Always holds: a checked key means the same object in every implementation. It is relative, its segments are separated
by one "/", none of them is empty, "." or "..", and no server or library has a reason to rewrite it.
"""

from __future__ import annotations

from callboard.storage.errors import InvalidKeyError

MAXIMUM_BYTES = 1024
"""Of a key in UTF-8 (Amazon S3 User Guide, "Naming Amazon S3 objects")."""

MAXIMUM_SEGMENT_BYTES = 255
"""Of one segment in UTF-8: NAME_MAX of the file systems in use."""


def check_key(key: str, operation: str = "check") -> str:
    """Return `key`. Raises `InvalidKeyError`, with the reason, when it is not one."""
    reason = _objection(key)
    if reason:
        raise InvalidKeyError(operation, repr(key[:MAXIMUM_BYTES]), reason)
    return key


def check_prefix(prefix: str, operation: str = "check") -> str:
    """Return `prefix` without a slash at its end; "" (everything) is one. Raises `InvalidKeyError`."""
    return check_key(prefix.removesuffix("/"), operation) if prefix else ""


def _objection(key: str) -> str:
    try:
        encoded = key.encode()
    except UnicodeEncodeError:
        return "it must be Unicode text, without lone surrogates"
    if not 0 < len(encoded) <= MAXIMUM_BYTES:
        return f"it must have 1 to {MAXIMUM_BYTES} bytes in UTF-8, not {len(encoded)}"
    if any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in key):
        return "it must have no control characters"
    if "\\" in key:  # Azure takes it for "/"
        return "it must have no backslash"
    return next((reason for segment in key.split("/") if (reason := _segment_objection(segment))), "")


def _segment_objection(segment: str) -> str:
    if segment in {"", ".", ".."}:
        return f'it must have no segment {segment!r}, nor a "/" at either end'
    if len(segment.encode()) > MAXIMUM_SEGMENT_BYTES:
        return f"a segment must have at most {MAXIMUM_SEGMENT_BYTES} bytes in UTF-8"
    return ""
