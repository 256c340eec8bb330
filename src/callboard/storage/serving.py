"""How an HTTP server answers a GET or HEAD for an object: status, headers, and which bytes. Pure.

Owns: byte ranges and conditional requests (RFC 9110 §13, §14). Whoever serves sends `Answer.headers`, and of the
object `length` bytes from `start` on.

Always holds: a header that is malformed is ignored, as RFC 9110 §14.2 says, never an error. Of several ranges in one
request none is: the whole object is sent, which §14.2 allows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from callboard.clock import NANOSECONDS
from callboard.storage.interface import Entry

_RANGE = re.compile(r"bytes=[ \t]*(?:(\d{1,19})-(\d{1,19})?|-(\d{1,19}))[ \t]*", re.IGNORECASE | re.ASCII)
_ENTITY_TAG = re.compile(r'(?:W/)?"[^"]*"')


@dataclass(frozen=True, slots=True)
class Answer:
    """`length` bytes from `start` on are the body; of a HEAD, 304 or 416 there is none and `length` is 0."""

    status: int
    headers: dict[str, str]
    start: int = 0
    length: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes `start` to `start + length - 1`; `length` is at least 1."""

    start: int
    length: int


class UnsatisfiableError(ValueError):
    """The range is well-formed, and the object has no byte in it."""


def answer(method: str, headers: Mapping[str, str], entry: Entry, content_type: str) -> Answer:
    """What to answer to `method` (GET or HEAD) with these request headers (names in lower case)."""
    about = {"accept-ranges": "bytes", "last-modified": http_date(entry.modified_at)}
    if entry.etag:
        about["etag"] = entry.etag
    if _is_not_modified(headers, entry):
        return Answer(304, about)
    try:
        span = _span(method, headers, entry)
    except UnsatisfiableError:
        return Answer(416, {**about, "content-range": f"bytes */{entry.size}", "content-length": "0"})
    about |= {"content-type": content_type, "x-content-type-options": "nosniff"}
    if span is None:
        whole = {**about, "content-length": str(entry.size)}
        return Answer(200, whole, length=0 if method == "HEAD" else entry.size)
    last = span.start + span.length - 1
    about |= {"content-length": str(span.length), "content-range": f"bytes {span.start}-{last}/{entry.size}"}
    return Answer(206, about, span.start, span.length)


def parse_range(header: str, size: int) -> Span | None:
    """The one range that `header` asks for of an object of `size` bytes, cut at its end (RFC 9110 §14.1.2).

    None: send all of it, as the header is malformed, in another unit, of several ranges, or a suffix of an empty
    object (§14.1.2: satisfiable, but no Content-Range could say so). Raises `UnsatisfiableError`.
    """
    match = _RANGE.fullmatch(header)
    if not match:
        return None
    first, last, suffix = (int(digits) if digits is not None else None for digits in match.groups())
    if suffix is not None:
        return _suffix(suffix, size)
    if first is None or (last is not None and last < first):
        return None
    if first >= size:
        raise UnsatisfiableError
    return Span(first, min(last + 1 if last is not None else size, size) - first)


def http_date(instant: int) -> str:
    """`instant` (nanoseconds since the epoch) as HTTP writes it, in whole seconds (RFC 9110 §5.6.7)."""
    return format_datetime(datetime.fromtimestamp(instant // NANOSECONDS, UTC), usegmt=True)


def _suffix(length: int, size: int) -> Span | None:
    if length == 0:
        raise UnsatisfiableError
    return Span(max(size - length, 0), min(length, size)) if size else None


def _span(method: str, headers: Mapping[str, str], entry: Entry) -> Span | None:
    asked = headers.get("range")
    if method != "GET" or asked is None or not _is_same(headers.get("if-range"), entry):
        return None
    return parse_range(asked, entry.size)


def _is_same(if_range: str | None, entry: Entry) -> bool:
    """RFC 9110 §13.1.5: an entity tag must match strongly, a date exactly."""
    if if_range is None:
        return True
    value = if_range.strip()
    return bool(value) and value in {entry.etag, http_date(entry.modified_at)} and not value.startswith("W/")


def _is_not_modified(headers: Mapping[str, str], entry: Entry) -> bool:
    """RFC 9110 §13.2.2: If-None-Match first; If-Modified-Since only without it."""
    tags = headers.get("if-none-match")
    if tags is not None:
        known = {tag.removeprefix("W/") for tag in _ENTITY_TAG.findall(tags)}
        return tags.strip() == "*" or entry.etag.removeprefix("W/") in known
    since = headers.get("if-modified-since")
    return since is not None and _is_unchanged_since(since, entry.modified_at)


def _is_unchanged_since(date: str, modified_at: int) -> bool:
    try:
        instant = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return False
    if instant.tzinfo is None:  # "-0000": UTC, of unknown origin (RFC 5322 §3.3)
        instant = instant.replace(tzinfo=UTC)
    return modified_at // NANOSECONDS <= instant.timestamp()
