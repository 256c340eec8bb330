"""Bodies that were parsed and written again, as frameworks and proxies do it."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from callboard.consumer import BodyChanged, SecretMismatch, VerificationError, diagnose, verify
from callboard.consumer.tampering import AT_THE_ENDS, CHARACTERS, MOST_BYTES, WRITTEN_AGAIN, originals
from callboard.events import CATALOGUE, decode, replayed, sample

NOW = 1_800_000_000


def canonical(event: str) -> bytes:
    """An event's body as Callboard sends it, with a name that is not ASCII, and characters that some escape."""
    body = msgspec.json.encode(sample(event)).decode()
    body = re.sub(r'("(?:user_name|name|room_name)":)"[^"]*"', r'\1"Zoë <&> 日本 \"quoted\" /"', body)
    return msgspec.json.encode(decode(body.encode()))


def _go(value: Any) -> bytes:
    """Go's `json.Marshal` of a map: keys sorted, HTML escaped."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return re.sub("[<>&]", lambda match: f"\\u{ord(match[0]):04x}", text).encode()


CHANGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "json.dumps": (lambda body: json.dumps(json.loads(body)).encode(), WRITTEN_AGAIN),
    "json.dumps in UTF-8": (lambda body: json.dumps(json.loads(body), ensure_ascii=False).encode(), WRITTEN_AGAIN),
    "indented": (lambda body: json.dumps(json.loads(body), indent=2).encode() + b"\n", WRITTEN_AGAIN),
    "sorted": (lambda body: json.dumps(json.loads(body), sort_keys=True).encode(), WRITTEN_AGAIN),
    "escaped slashes": (lambda body: body.replace(b"/", b"\\/"), WRITTEN_AGAIN),
    "Go": (lambda body: _go(json.loads(body)), WRITTEN_AGAIN),
    "a newline at the end": (lambda body: body + b"\r\n", AT_THE_ENDS),
    "a byte order mark": (lambda body: codecs.BOM_UTF8 + body, AT_THE_ENDS),
    "read as Latin-1": (lambda body: body.decode("latin-1").encode("utf-8"), CHARACTERS),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("event", CATALOGUE)
def test_whoever_changes_a_body_is_told_how(sent: Any, event: str, change: str) -> None:
    delivery = replace(sent, body=canonical(event))
    changed, how = CHANGES[change][0](delivery.body), CHANGES[change][1]
    if changed == delivery.body:  # nothing in this one that this change would touch
        assert change in {"read as Latin-1", "escaped slashes"}
        return
    for signing, known in ((delivery.secret, delivery.secret), (delivery.private, delivery.public)):
        headers = delivery.headers([signing])
        with pytest.raises(BodyChanged, match=r"the body is not as it was sent: .*before anything parses") as raised:
            verify(headers, changed, known, now=NOW)
        assert raised.value.how.startswith(how)
        assert [finding.part for finding in diagnose(headers, changed, known, NOW) if finding.ok][-1] == "secret"


def test_a_replay_that_was_written_anew_is_recognised_too(sent: Any) -> None:
    delivery = replace(sent, body=replayed(canonical("peer.join.success")))
    with pytest.raises(BodyChanged):
        verify(delivery.headers(), CHANGES["sorted"][0](delivery.body), delivery.secret, now=NOW)


def test_a_body_with_other_values_is_no_rewriting(sent: Any) -> None:
    changed = json.loads(sent.body)
    changed["data"]["role"] = "host"
    body = json.dumps(changed).encode()
    with pytest.raises(SecretMismatch):
        verify(sent.headers() | {"content-length": str(len(body))}, body, sent.secret, now=NOW)


def test_the_body_itself_is_never_a_candidate(sent: Any) -> None:
    assert list(originals(sent.body)) == []


def test_what_strangers_send_is_looked_into_only_up_to_a_length() -> None:
    assert list(originals(b" " * MOST_BYTES)) == [("white space or a byte order mark was put at its ends", b"")]
    assert list(originals(b" " * (MOST_BYTES + 1))) == []


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"a":' * 100_000, b"1" * 100_000, b"\xff", b'"\xed\xa0\x80"', b"1e999999", b'{"type":[]}'],
)
def test_nothing_that_strangers_send_is_an_error(sent: Any, body: bytes) -> None:
    with pytest.raises(VerificationError):
        verify(sent.headers(), body, sent.secret, now=NOW)
