"""What a job's steps have answered, by position and name.

Owns: `Journal`, and how an answer is written down.

Always holds: a step that finished answers the same ever after, decoded from what is durable: the first time as later.
When a job's code has changed under it, so that at some position another name is asked for than is written there, what
is written from that position on counts no more: those steps are done again (a step may be repeated, it must not be
skipped for the sake of an answer to another question).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple, get_type_hints

import msgspec

from callboard.database import Delete, Put, Row
from callboard.database.tables import JOB_STEP

MOST_ANSWER = 262_144
"""Bytes. A step answers with names and numbers; what is large belongs into a file."""

log = logging.getLogger("callboard.jobs")


class Entry(NamedTuple):
    """A finished step, as far as it is known: `output` is JSON."""

    name: str
    output: bytes


class Journal:
    """The journal of one job, as one try goes through it: each step takes the next position."""

    def __init__(self, job_id: str, rows: Iterable[Row] = ()) -> None:
        """`rows` are those of the query `job_steps`."""
        self._job_id = job_id
        self._entries = {int(str(position)): _entry(name, output) for position, name, output, *_ in rows}
        self._position = 0

    def next(self, name: str) -> tuple[int, bytes | None]:
        """The position of a step that begins, and its answer, if it finished in an earlier try."""
        position = self._position
        self._position += 1
        entry = self._entries.get(position)
        if entry is None:
            return position, None
        if entry.name == name:
            return position, entry.output
        log.warning(
            "job %s: step %d is now %s, was %s: it and those after it are done again",
            *(self._job_id, position, name, entry.name),
        )
        for stale in [key for key in self._entries if key > position]:
            self._entries[stale] = Entry("", b"")  # no step has this name: the row is overwritten or deleted
        return position, None

    def rows(self, position: int, name: str, output: bytes, now: int) -> tuple[Put | Delete, ...]:
        """What is to be committed when a step has finished."""
        self._entries.pop(position, None)
        stale = [key for key, entry in self._entries.items() if key > position and not entry.name]
        for key in stale:
            del self._entries[key]
        put = Put(JOB_STEP, (self._job_id, position, name, output, now))
        return (put, *(Delete(JOB_STEP, (self._job_id, key)) for key in stale))


def encoded(name: str, answer: object) -> bytes:
    """The answer as JSON. Raises `TypeError` for what has no JSON form, `ValueError` beyond `MOST_ANSWER`."""
    output = msgspec.json.encode(answer)
    if len(output) > MOST_ANSWER:
        raise ValueError(f"step {name} answered {len(output)} bytes, {MOST_ANSWER} are allowed")
    return output


def answer_type(function: Callable[..., Awaitable[Any]]) -> Any:
    """What `function` says it answers. Raises `TypeError` if it does not say."""
    return _declared(getattr(function, "__func__", function))


@lru_cache(maxsize=256)
def _declared(function: Callable[..., Awaitable[Any]]) -> Any:
    try:
        return get_type_hints(function)["return"]
    except (KeyError, NameError) as error:
        raise TypeError(f"a step must say what type it answers: {function!r} ({error})") from None


def _entry(name: object, output: object) -> Entry:
    assert isinstance(name, str)
    assert isinstance(output, bytes)
    return Entry(name, output)
