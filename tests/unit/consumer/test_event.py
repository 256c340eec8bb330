"""A delivery as a typed event."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from callboard.consumer import InvalidHeader, SecretMismatch, UnreadableEvent, parse, receive
from callboard.events import CATALOGUE, PeerJoinSuccess, decode, replayed, sample

NOW = 1_800_000_000


def test_a_delivery_is_a_typed_event(sent: Any) -> None:
    event = receive(sent.headers(), sent.body, sent.secret, now=NOW)
    assert (event.id, event.type, event.stream, event.seq) == (sent.id, "peer.join.success", "s1", 17)
    assert isinstance(event.data, PeerJoinSuccess)
    assert event.data == event.envelope.data == decode(sent.body).data
    expected = datetime.strptime(sample("peer.join.success")["timestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert event.at == expected
    assert not event.is_replay


def test_a_replay_says_so(sent: Any) -> None:
    delivery = replace(sent, body=replayed(sent.body))
    assert receive(delivery.headers(), delivery.body, delivery.secret, now=NOW).is_replay


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_event_of_the_catalogue_can_be_received(sent: Any, name: str) -> None:
    delivery = replace(sent, body=msgspec.json.encode(sample(name)))
    event = receive(delivery.headers(), delivery.body, [delivery.secret], now=NOW)
    assert (event.type, type(event.data)) == (name, CATALOGUE[name])
    assert parse(delivery.body) == event.envelope


def test_headers_that_can_be_read_once_are_enough(sent: Any) -> None:
    pairs = ((name.encode(), value.encode()) for name, value in sent.headers().items())
    assert receive(pairs, sent.body, sent.secret, now=NOW).seq == 17


def test_without_our_own_headers_there_is_no_stream_and_no_seq(sent: Any) -> None:
    headers = {name: value for name, value in sent.headers().items() if not name.startswith("callboard-")}
    event = receive(headers, sent.body, sent.secret, now=NOW)
    assert (event.stream, event.seq) == ("", 0)


@pytest.mark.parametrize("seq", ["", "-1", "x", "1.5", "9" * 30])
def test_a_seq_that_is_no_number_is_refused(sent: Any, seq: str) -> None:
    with pytest.raises(InvalidHeader, match="callboard-seq"):
        receive(sent.headers() | {"callboard-seq": seq}, sent.body, sent.secret, now=NOW)


def test_nothing_is_parsed_before_it_is_verified(sent: Any) -> None:
    delivery = replace(sent, body=b'{"type":"no.such.event"}')
    with pytest.raises(SecretMismatch):
        receive(delivery.headers(), delivery.body, "whsec_" + "A" * 32, now=NOW)


@pytest.mark.parametrize(
    ("body", "type_", "reason"),
    [
        (b'{"type":"peer.jump.success"}', "peer.jump.success", "unknown event type .*did you mean peer.join.success"),
        (b'{"type":"peer.join.success"}', "", "missing required field"),
        (b"not JSON", "", "malformed"),
        (b"\xff", "", "malformed|invalid"),
        (b"[" * 5000, "", "malformed|array|nested|object"),
    ],
)
def test_an_event_that_cannot_be_read_says_why(sent: Any, body: bytes, type_: str, reason: str) -> None:
    delivery = replace(sent, body=body)
    with pytest.raises(UnreadableEvent, match=reason) as raised:
        receive(delivery.headers(), delivery.body, delivery.secret, now=NOW)
    assert raised.value.type == type_


def test_keys_that_a_newer_version_added_do_no_harm(sent: Any) -> None:
    newer = json.loads(sent.body)
    newer["new"] = newer["data"]["new"] = {"a": [1]}
    delivery = replace(sent, body=json.dumps(newer).encode())
    assert receive(delivery.headers(), delivery.body, delivery.secret, now=NOW).type == "peer.join.success"


def test_a_receiver_loads_nothing_of_the_server() -> None:
    """Whoever only receives should not pay for databases, media engines and web frameworks at each start."""
    code = "import sys, callboard.consumer; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert not {"apsw", "asyncpg", "litestar", "uvicorn", "uvloop", "aiortc", "asyncio", "httptools"} & set(out.split())
