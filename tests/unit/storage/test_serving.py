"""Answers to GET and HEAD: ranges and conditional requests (RFC 9110 §13, §14)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.clock import NANOSECONDS
from callboard.storage import Entry
from callboard.storage.serving import Answer, Span, UnsatisfiableError, answer, http_date, parse_range

MODIFIED = 784_111_777 * NANOSECONDS + 123_456_789
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"  # RFC 9110 §5.6.7
ENTRY = Entry("a.mp4", 10_000, MODIFIED, '"tag"')


def ask(method: str = "GET", entry: Entry = ENTRY, headers: dict[str, str] | None = None) -> Answer:
    return answer(method, headers or {}, entry, "video/mp4")


@pytest.mark.parametrize(
    ("header", "span"),
    [
        # RFC 9110 §14.1.2's own examples, of a representation of 10,000 bytes
        ("bytes=0-499", Span(0, 500)),
        ("bytes=500-999", Span(500, 500)),
        ("bytes=-500", Span(9500, 500)),
        ("bytes=9500-", Span(9500, 500)),
        ("bytes=0-0", Span(0, 1)),
        ("bytes=-1", Span(9999, 1)),
        ("bytes=9999-", Span(9999, 1)),
        ("bytes=0-99999", Span(0, 10_000)),
        ("bytes=0-9999999999999999999", Span(0, 10_000)),
        ("bytes=-99999", Span(0, 10_000)),
        ("Bytes=1-2", Span(1, 2)),
        ("bytes=1-2 ", Span(1, 2)),
        # several ranges, and what is no byte range: the whole
        ("bytes=0-0,-1", None),
        ("bytes=500-499", None),
        ("bytes=-", None),
        ("bytes=", None),
        ("bytes", None),
        ("bytes=a-b", None),
        ("bytes=1-2-3", None),
        ("bytes=+1-2", None),
        ("bytes=1 - 2", None),
        ("bytes =1-2", None),
        ("bytes=٣-٤", None),
        ("bytes=1-2\n", None),
        ("items=0-1", None),
        ("", None),
        ("bytes=0-" + "9" * 5000, None),
    ],
)
def test_a_range_is_understood_or_ignored(header: str, span: Span | None) -> None:
    assert parse_range(header, 10_000) == span


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ("bytes=10000-", 10_000),
        ("bytes=10001-20000", 10_000),
        ("bytes=-0", 10_000),
        ("bytes=0-", 0),
        ("bytes=0-0", 0),
        ("bytes=-0", 0),
    ],
)
def test_a_range_without_a_byte_is_unsatisfiable(header: str, size: int) -> None:
    with pytest.raises(UnsatisfiableError):
        parse_range(header, size)


def test_a_suffix_of_an_empty_object_is_the_whole_of_it() -> None:
    assert parse_range("bytes=-5", 0) is None
    empty = ask(entry=Entry("a", 0, MODIFIED, ""), headers={"range": "bytes=-5"})
    assert (empty.status, empty.headers["content-length"], empty.length) == (200, "0", 0)


@given(st.text() | st.from_regex(r"bytes=\d*-\d*", fullmatch=True), st.integers(0, 2**63))
def test_no_header_breaks_it_and_a_span_is_inside_the_object(header: str, size: int) -> None:
    try:
        span = parse_range(header, size)
    except UnsatisfiableError:
        return
    if span is not None:
        assert 0 <= span.start < span.start + span.length <= size


def test_the_whole_object() -> None:
    assert ask() == Answer(
        200,
        {
            "accept-ranges": "bytes",
            "last-modified": DATE,
            "etag": '"tag"',
            "content-type": "video/mp4",
            "x-content-type-options": "nosniff",
            "content-length": "10000",
        },
        0,
        10_000,
    )


def test_a_part_of_it() -> None:
    part = ask(headers={"range": "bytes=1-3"})
    assert (part.status, part.start, part.length) == (206, 1, 3)
    assert (part.headers["content-range"], part.headers["content-length"]) == ("bytes 1-3/10000", "3")


def test_a_part_that_is_not_there() -> None:
    none = ask(headers={"range": "bytes=10000-"})
    assert (none.status, none.length, none.headers["content-range"]) == (416, 0, "bytes */10000")


def test_head_has_the_headers_of_the_whole_and_no_body() -> None:
    head = ask("HEAD", headers={"range": "bytes=1-3"})
    assert (head.status, head.headers, head.length) == (200, ask().headers, 0)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if-none-match": '"tag"'}, 304),
        ({"if-none-match": 'W/"tag"'}, 304),
        ({"if-none-match": '"a", "tag"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"other"'}, 200),
        ({"if-none-match": "tag"}, 200),
        ({"if-modified-since": DATE}, 304),
        ({"if-modified-since": "Sun, 06 Nov 1994 08:49:36 GMT"}, 200),
        ({"if-modified-since": "Sun, 06 Nov 1994 08:49:37 -0000"}, 304),
        ({"if-modified-since": "yesterday"}, 200),
        ({"if-modified-since": "Sun, 06 Nov 99999999 08:49:37 GMT"}, 200),
        ({"if-none-match": '"other"', "if-modified-since": DATE}, 200),
        ({"if-none-match": '"tag"', "range": "bytes=0-1"}, 304),
        ({"range": "bytes=0-1", "if-range": '"tag"'}, 206),
        ({"range": "bytes=0-1", "if-range": DATE}, 206),
        ({"range": "bytes=0-1", "if-range": '"other"'}, 200),
        ({"range": "bytes=0-1", "if-range": 'W/"tag"'}, 200),
        ({"range": "bytes=0-1", "if-range": "Sun, 06 Nov 1994 08:49:38 GMT"}, 200),
        ({"range": "bytes=0-1", "if-range": ""}, 200),
    ],
)
def test_conditional_requests(headers: dict[str, str], status: int) -> None:
    assert ask(headers=headers).status == status


def test_a_weak_tag_never_allows_a_part() -> None:
    weak = Entry("a", 10, MODIFIED, 'W/"tag"')
    assert ask(entry=weak, headers={"range": "bytes=0-1", "if-range": 'W/"tag"'}).status == 200
    untagged = Entry("a", 10, MODIFIED, "")
    assert ask(entry=untagged, headers={"range": "bytes=0-1", "if-range": ""}).status == 200
    assert "etag" not in ask(entry=untagged).headers
    assert ask(entry=untagged, headers={"if-none-match": '""'}).status == 200


def test_dates_are_written_as_http_wants_them() -> None:
    assert http_date(MODIFIED) == DATE
