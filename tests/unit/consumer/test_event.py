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

from callboard.consumer import (
    InvalidHeader,
    SecretMismatch,
    SeveralEvents,
    UnreadableEvent,
    parse,
    receive,
    receive_all,
)
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


def test_what_was_left_out_before_an_event_and_the_replay_that_sent_it_are_told(sent: Any) -> None:
    headers = sent.headers() | {"callboard-gap": "5,6", "callboard-replay": "webhook-replay-a-1"}
    event = receive(headers, sent.body, sent.secret, now=NOW)
    assert (event.left_out, event.replay) == ((5, 6), "webhook-replay-a-1")
    event = receive(sent.headers(), sent.body, sent.secret, now=NOW)
    assert (event.left_out, event.replay) == ((), "")
    for wrong in ("", "5,", "five", "5, 6"):
        with pytest.raises(InvalidHeader, match="callboard-gap"):
            receive(sent.headers() | {"callboard-gap": wrong}, sent.body, sent.secret, now=NOW)


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


def batch_of(sent: Any, count: int) -> Any:
    bodies = [sent.body.replace(b'"id":"', b'"id":"%d' % number, 1) for number in range(count)]
    return replace(sent, id="batch_1", body=b'{"batch":[' + b",".join(bodies) + b"]}")


def test_a_batch_is_its_events_each_with_its_own_id_and_seq(sent: Any) -> None:
    batch = batch_of(sent, 3)
    headers = batch.headers() | {"callboard-seq": "4,5,9", "callboard-gap": "2,3"}
    events = receive_all(headers, batch.body, batch.secret, now=NOW)
    assert [event.left_out for event in events] == [(2, 3), (), ()]
    assert [event.seq for event in events] == [4, 5, 9]
    assert [event.id for event in events] == [f"{number}{decode(sent.body).id}" for number in range(3)]
    assert {event.stream for event in events} == {"s1"}
    assert all(isinstance(event.data, PeerJoinSuccess) for event in events)


def test_an_event_that_comes_alone_is_a_list_of_one(sent: Any) -> None:
    arguments = (sent.headers(), sent.body, sent.secret)
    assert receive_all(*arguments, now=NOW) == [receive(*arguments, now=NOW)]


def test_a_batch_without_our_own_headers_has_no_stream_and_no_seqs(sent: Any) -> None:
    batch = batch_of(sent, 2)
    headers = {name: value for name, value in batch.headers().items() if not name.startswith("callboard-")}
    events = receive_all(headers, batch.body, batch.secret, now=NOW)
    assert [(event.stream, event.seq) for event in events] == [("", 0), ("", 0)]


@pytest.mark.parametrize("seqs", ["", "1", "1,2,3", "1,x", "1,,2", "1;2"])
def test_the_seqs_of_a_batch_are_one_for_each_event(sent: Any, seqs: str) -> None:
    batch = batch_of(sent, 2)
    with pytest.raises(InvalidHeader, match="callboard-seq"):
        receive_all(batch.headers() | {"callboard-seq": seqs}, batch.body, batch.secret, now=NOW)


def test_who_asks_for_one_event_is_told_that_it_is_a_batch(sent: Any) -> None:
    batch = batch_of(sent, 2)
    with pytest.raises(SeveralEvents, match="a batch of 2 events: read it with receive_all"):
        receive(batch.headers(), batch.body, batch.secret, now=NOW)


@pytest.mark.parametrize(
    "body", [b'{"batch":[', b'{"batch":3}', b'{"batch":[1]}', b'{"batch":[]}', b'{"batch":["\xff"]}']
)
def test_a_batch_that_is_none_is_unreadable(sent: Any, body: bytes) -> None:
    batch = replace(sent, body=body)
    with pytest.raises(UnreadableEvent):
        receive_all(batch.headers() | {"callboard-seq": "1"}, batch.body, batch.secret, now=NOW)


def test_a_batch_is_verified_before_it_is_read(sent: Any) -> None:
    batch = replace(sent, body=b'{"batch":[')
    with pytest.raises(SecretMismatch):
        receive_all(batch.headers(), batch.body, "whsec_" + "A" * 32, now=NOW)


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
