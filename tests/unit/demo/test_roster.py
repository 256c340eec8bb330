"""The roster: what a client knows about the others, and what of the server's words it cannot take."""

from __future__ import annotations

from typing import Any

import pytest

from callboard.demo.api_channel import assumed, wishes
from callboard.demo.policy import policy_of
from callboard.demo.roster import ProtocolViolation, Roster


def peer(peer_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "peer_id": peer_id,
        "role": "guest",
        "groups": [],
        "realtime": True,
        "info": {"name": peer_id.title(), "data": "", "user_id": f"u-{peer_id}", "type": "regular"},
        "tracks": {},
        **changes,
    }


def track(track_id: str, kind: str = "video", *, mute: bool = False) -> dict[str, Any]:
    return {
        "track_id": track_id,
        "stream_id": "s",
        "type": kind,
        "source": "regular",
        "mute": mute,
        "description": "",
    }


def a_roster(*peers: dict[str, Any]) -> Roster:
    roster = Roster()
    assert roster.apply("peer-list", {"peers": {p["peer_id"]: p for p in peers}, "room": {}})
    return roster


def test_a_peer_list_replaces_what_was_known() -> None:
    roster = a_roster(peer("ann"), peer("ben"))
    roster.apply("peer-list", {"peers": {"cleo": peer("cleo", tracks={"t": track("t")})}, "room": {}})
    assert list(roster.peers) == ["cleo"]
    assert roster["cleo"].tracks["t"]["type"] == "video"


def test_peers_come_change_and_go() -> None:
    roster = a_roster()
    roster.apply("on-peer-join", peer("ann"))
    assert (roster["ann"].name, roster["ann"].user_id) == ("Ann", "u-ann")
    roster.apply("on-peer-update", peer("ann", role="host", groups=["_handraise"]))
    assert (roster["ann"].role, roster["ann"].groups) == ("host", ("_handraise",))
    roster.apply("on-peer-leave", {"peer_id": "ann"})
    assert "ann" not in roster


def test_an_update_keeps_the_tracks_and_a_name_it_does_not_say() -> None:
    roster = a_roster(peer("ann", tracks={"t": track("t")}))
    roster.apply("on-peer-update", peer("ann", info={"name": "", "user_id": ""}))
    assert roster["ann"].name == "Ann"
    assert "t" in roster["ann"].tracks


def test_a_peer_that_is_no_longer_realtime_disappears() -> None:
    roster = a_roster(peer("ann"))
    roster.apply("on-peer-update", peer("ann", realtime=False))
    assert "ann" not in roster


def test_tracks_are_added_muted_and_removed() -> None:
    roster = a_roster(peer("ann"))
    roster.apply("on-track-add", {"peer": peer("ann"), "tracks": {"t": track("t")}})
    assert not roster.is_muted("t")
    roster.apply("on-track-update", {"peer": peer("ann"), "tracks": {"t": track("t", mute=True)}})
    assert roster.is_muted("t")
    roster.apply("on-track-remove", {"peer": peer("ann"), "tracks": {"t": track("t")}})
    assert roster.track("t") is None


def test_tracks_may_be_removed_after_their_peer_has_left() -> None:
    roster = a_roster(peer("ann", tracks={"t": track("t")}))
    roster.apply("on-peer-leave", {"peer_id": "ann"})
    roster.apply("on-track-remove", {"peer": peer("ann"), "tracks": {"t": track("t")}})
    assert len(roster) == 0


@pytest.mark.parametrize("method", ["on-broadcast", "session-info", "offer"])
def test_other_notifications_are_not_the_roster_s(method: str) -> None:
    assert not a_roster().apply(method, {})


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("peer-list", {"peers": {}}),
        ("peer-list", {"peers": {"ann": peer("ann", realtime=False)}, "room": {}}),
        ("on-peer-join", peer("ann", realtime=False)),
        ("on-peer-join", peer("ann", groups=None)),
        ("on-peer-join", {k: v for k, v in peer("ann").items() if k != "info"}),
        ("on-track-remove", {"tracks": {}}),
    ],
)
def test_what_would_break_the_official_client_is_an_error(method: str, params: dict[str, Any]) -> None:
    with pytest.raises(ProtocolViolation, match=r"signal\.md §4"):
        Roster().apply(method, params)


def test_a_client_wants_pictures_that_are_on_and_declines_what_is_muted() -> None:
    roster = a_roster(peer("ann", tracks={"v": track("v"), "a": track("a", "audio", mute=True)}))
    wanted = wishes({"v": "video", "a": "audio", "new": "audio"}, roster)
    assert wanted["v"] == ("prefer-video-track-state", {"track_id": "v", "max_spatial_layer": "high"})
    assert wanted["a"] == ("prefer-audio-track-state", {"track_id": "a", "subscribed": False})
    assert wanted["new"] == assumed("new", "audio")
    assert wanted["v"] != assumed("v", "video")


def role(*allowed: str, subscribes: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"publishParams": {"allowed": list(allowed)}, "subscribeParams": {"subscribeToRoles": [*subscribes]}}


def test_a_policy_says_what_may_be_published() -> None:
    policy = policy_of({"name": "guest", "known_roles": {"guest": role("audio", "screen")}})
    assert policy.role == "guest"
    assert policy.may_publish("audio", "regular")
    assert not policy.may_publish("video", "regular")
    assert policy.may_publish("video", "screen")


@pytest.mark.parametrize(
    ("given", "flags", "media"),
    [
        (role(), frozenset({"nonWebRTCDisableOffer"}), False),
        (role(), frozenset(), True),
        (role("audio"), frozenset({"nonWebRTCDisableOffer"}), True),
        (role(subscribes=("host",)), frozenset({"nonWebRTCDisableOffer"}), True),
    ],
)
def test_a_role_that_neither_sends_nor_receives_needs_no_media_if_the_server_says_so(
    given: dict[str, Any], flags: frozenset[str], media: bool
) -> None:
    assert policy_of({"name": "r", "known_roles": {"r": given}}).needs_media(flags) is media


@pytest.mark.parametrize(
    "params",
    [
        {"name": "guest", "known_roles": {}},
        {"known_roles": {"guest": role()}},
        {"name": "guest", "known_roles": {"guest": {"publishParams": {}}}},
    ],
)
def test_a_policy_that_the_official_client_cannot_use_is_an_error(params: dict[str, Any]) -> None:
    with pytest.raises(ProtocolViolation, match=r"signal\.md §6"):
        policy_of(params)
