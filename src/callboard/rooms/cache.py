"""A bounded cache of stored things by id that never shows an older state than the last one committed here.

Owns: `Cache`.

Always holds: once `refresh(key, value)` has been called, `load(key)` returns that value or a newer one,
also when a read that began before it ends after it, and also when the entry was dropped for room in
between.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Generic, TypeVar

V = TypeVar("V")


class Cache(Generic[V]):
    """The `size` entries used last. All methods are called on the event loop's thread."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[str, V] = OrderedDict()
        self._loading: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> V | None:
        """The entry, if it is here."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    async def load(self, key: str, read: Callable[[], Awaitable[V]]) -> V:
        """The entry, read with `read` if it is not here. Raises what `read` raises; that is not kept."""
        value = self.get(key)
        if value is not None:
            return value
        self._loading[key] += 1
        try:
            value = await read()
            # What was refreshed while we read is newer than what we read.
            value = self._entries.setdefault(key, value)
        finally:
            self._loading[key] -= 1
            if not self._loading[key]:
                del self._loading[key]
        self._drop_oldest()
        return value

    def refresh(self, key: str, value: V) -> None:
        """`value` has just been committed."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        self._drop_oldest()

    def _drop_oldest(self) -> None:
        """Make room, but never by dropping what is being read: `load` has to see that it was refreshed."""
        surplus = len(self._entries) - self._size
        if surplus > 0:
            droppable = (key for key in self._entries if key not in self._loading)
            for key in list(islice(droppable, surplus)):
                del self._entries[key]
