"""What of a client's report becomes an event, and what does not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.analytics.client_events import MAX_TEXT, TYPES, About, agent_of, client_event

ABOUT = About("acc", "room", "Room", "tpl", "ses", "peer", "user", "Ada", "host")
AGENT = "os:web_Mac_OS,os_version:10.15.7,sdk:web,sdk_version:0.12.15,env:prod,is_prebuilt:true"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJyb29tX2lkIjoieCJ9.c2lnbmF0dXJl"
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def test_a_failure_to_publish_is_told_as_documented() -> None:
    info = {
        "error_code": 4006,
        "error_name": "ICEDisconnected",
        "error_message": "[PUBLISH]: Ice connection state DISCONNECTED",
        "error_description": "local candidate",
        "is_terminal": False,
        "action": "PUBLISH",
        "domain": "HMS",
        "audio": {"maxBitrate": 0},
        "devices": {"videoInput": []},
        "timestamp": 1,
        "unknown": "x",
    }
    assert client_event("publish.failed", info, ABOUT, AGENT) == (
        "client.publish.failed",
        {
            **{name: getattr(ABOUT, name) for name in About.__slots__},
            **{name: info[name] for name in info if name not in {"timestamp", "unknown"}},
            "agent": {
                "os": "web_Mac_OS",
                "os_version": "10.15.7",
                "sdk": "web",
                "sdk_version": "0.12.15",
                "env": "prod",
                "is_prebuilt": True,
                "string": AGENT,
            },
        },
    )


def test_what_is_no_failure_is_not_kept() -> None:
    for name in ("join.success", "perf.stats", "publisher.stats", "", "client.join.failed"):
        assert client_event(name, {}, ABOUT) is None


def test_outside_of_a_session_there_is_no_session_id() -> None:
    found = client_event("connect.failed", {}, about(""))
    assert found is not None
    assert "session_id" not in found[1]
    assert (found[1]["action"], found[1]["domain"], found[1]["agent"]) == ("INIT", "CUSTOM", {})


def about(session_id: str) -> About:
    fields = {name: getattr(ABOUT, name) for name in About.__slots__}
    return About(**fields | {"session_id": session_id})


@pytest.mark.parametrize("part", ["error_message", "error_description", "endpoint"])
def test_tokens_and_queries_of_addresses_are_taken_out(part: str) -> None:
    text = f"cannot reach wss://a.example/ws?peer=p&token={TOKEN} with {TOKEN}"
    found = client_event("connect.failed", {part: text, "transport_state": {"url": text}}, ABOUT)
    assert found is not None
    assert found[1][part] == "cannot reach wss://a.example/ws with …"
    assert found[1]["transport_state"] == {"url": "cannot reach wss://a.example/ws with …"}


@given(
    st.sampled_from(sorted(TYPES)),
    st.dictionaries(
        st.sampled_from(
            ["error_code", "error_name", "error_message", "is_terminal", "action", "endpoint", "audio", "devices", "x"]
        ),
        ANYTHING,
    ),
    st.text(),
)
def test_whatever_a_client_sends_the_event_is_bounded_and_of_the_documented_types(
    name: str, info: dict[str, Any], agent: str
) -> None:
    found = client_event(name, info, ABOUT, agent)
    assert found is not None
    data = found[1]
    text = msgspec.json.encode(data)
    assert b"\\u0000" not in text
    assert type(data["error_code"]) is int
    assert type(data["is_terminal"]) is bool
    assert all(len(data[field]) <= MAX_TEXT for field in ("error_name", "error_message", "action"))
    assert "x" not in data


def test_an_agent_of_another_form_is_kept_as_text() -> None:
    assert agent_of("curl/7") == {"string": "curl/7"}
    assert agent_of("") == {}
