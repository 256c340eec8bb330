"""The key-value store that lives as long as a session (signal.md §7.5; limits of platform.md §4.6).

Owns: `SessionStores`. Always holds: a session's store is bounded in keys, value size and total size, and is gone with
the session.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from callboard.errors import Invalid

MAX_KEYS: Final = 100
MAX_KEY_LENGTH: Final = 128
MAX_VALUE_BYTES: Final = 1024
MAX_TOTAL_BYTES: Final = 64 * 1024


class Entry(msgspec.Struct, frozen=True):
    """A stored value. `updated_at` is milliseconds since the epoch."""

    key: str
    data: Any
    updated_at: int
    updated_by: str
    change_version: int
    size: int

    def shown(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "data": self.data,
            "updated_at": self.updated_at,
            "updated_by": self.updated_by,
            "change_version": self.change_version,
        }


class SessionStores:
    """The stores of all open sessions, by session id."""

    def __init__(self) -> None:
        self._stores: dict[str, dict[str, Entry]] = {}

    def put(self, session_id: str, key: str, data: Any, by: str, now_ms: int) -> Entry:
        """Set a value; the last writer wins. Raises `Invalid` with the limit that it would break."""
        size = len(key.encode()) + len(msgspec.json.encode(data))
        store = self._stores.setdefault(session_id, {})
        old = store.get(key)
        if len(key) > MAX_KEY_LENGTH or not key:
            raise Invalid("invalid key", [f"1 to {MAX_KEY_LENGTH} characters are allowed"])
        if size > MAX_VALUE_BYTES + len(key.encode()):
            raise Invalid("value too large", [f"at most {MAX_VALUE_BYTES} bytes of JSON are allowed"])
        if old is None and len(store) >= MAX_KEYS:
            raise Invalid("too many keys", [f"at most {MAX_KEYS} keys are allowed in a session"])
        total = sum(entry.size for entry in store.values()) - (old.size if old else 0) + size
        if total > MAX_TOTAL_BYTES:
            raise Invalid("store full", [f"at most {MAX_TOTAL_BYTES} bytes are allowed in a session"])
        entry = Entry(key, data, now_ms, by, (old.change_version if old else 0) + 1, size)
        store[key] = entry
        return entry

    def get(self, session_id: str, key: str) -> Entry | None:
        return self._stores.get(session_id, {}).get(key)

    def drop(self, session_id: str) -> None:
        """The session is closed."""
        self._stores.pop(session_id, None)
