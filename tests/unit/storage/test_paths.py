"""The paths of platform.md §5.2, with the example of its recording event."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.clock import NANOSECONDS
from callboard.storage import InvalidKeyError, paths
from callboard.storage.keys import check_key
from callboard.storage.paths import Place, expand_prefix

STARTED = 1_736_935_201_250_930_000  # 2025-01-15T10:00:01.25093Z
RECORDER = 1_736_935_260_500_999_999
PLACE = Place("acme", "65a0", "6787", STARTED)

VALUES = {
    "customer_id": "65a000000000000000000001",
    "template_id": "65a000000000000000000003",
    "room_id": "65a000000000000000000004",
    "room_name": "algebra-7",
    "session_id": "678786f1000000000000000a",
    "date": "20250115",
}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (paths.composite(PLACE, RECORDER), "acme/65a0/20250115/6787/Rec-6787-1736935260500.mp4"),
        (paths.track(PLACE, "peer", "stream", "track"), "acme/65a0/20250115/6787/peer/stream/track.webm"),
        (paths.stream(PLACE, "peer", "stream"), "acme/65a0/20250115/6787/peer/stream/stream.mp4"),
        (paths.browser_composite(PLACE, RECORDER), "acme/beam/65a0/20250115/Rec-65a0-1736935260500.mp4"),
        (
            paths.hls_file(PLACE, RECORDER, 1),
            "acme/hls/65a0/20250115/1736935260500/file-recording/Rec-65a0-1736935260500-1.mp4",
        ),
        (paths.hls_zip(PLACE, RECORDER), "acme/hls/65a0/20250115/1736935260500/vod/Rec-65a0-1736935260500.zip"),
        (paths.hls_vod(PLACE, RECORDER, "v0/master.m3u8"), "acme/hls/65a0/20250115/1736935260500/vod/v0/master.m3u8"),
        (paths.chat(PLACE, RECORDER), "acme/chat/65a0/20250115/Rec-65a0-1736935260500.csv"),
    ],
)
def test_each_kind_of_asset_has_its_path(key: str, expected: str) -> None:
    assert key == expected


@given(st.integers(0, 4_000_000_000))
def test_the_date_is_the_utc_day_of_the_session(second: int) -> None:
    place = Place("p", "r", "s", second * NANOSECONDS + 999_999_999)
    assert place.date == datetime.fromtimestamp(second, UTC).date().isoformat().replace("-", "")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("", "65a000000000000000000001"),
        ("   ", "65a000000000000000000001"),
        ("/", "65a000000000000000000001"),
        ("recordings", "recordings"),
        ("/recordings/2025/", "recordings/2025"),
        ("a b/{room_name}", "a b/algebra-7"),
        (
            "{customer_id}/{template_id}/{room_id}-{session_id}",
            "65a000000000000000000001/65a000000000000000000003/65a000000000000000000004-678786f1000000000000000a",
        ),
        ("by-day/{date}", "by-day/20250115"),
    ],
)
def test_a_prefix_may_have_placeholders(template: str, expected: str) -> None:
    assert expand_prefix(template, VALUES) == expected


@pytest.mark.parametrize("template", ["{room}", "{}", "{room_id", "room_id}", "{{room_id}}", "{room_id!r}", "{0}"])
def test_a_placeholder_that_is_none_is_an_error(template: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        expand_prefix(template, VALUES)


def test_a_value_cannot_change_the_folders() -> None:
    with pytest.raises(ValueError, match="slash"):
        expand_prefix("{room_name}", VALUES | {"room_name": "../../etc"})
    with pytest.raises(InvalidKeyError):
        expand_prefix("a/{room_name}", VALUES | {"room_name": ".."})
    with pytest.raises(InvalidKeyError):
        expand_prefix("../a", VALUES)
    assert expand_prefix("{room_name}", VALUES | {"room_name": "{session_id}"}) == "{session_id}"


def test_an_id_cannot_change_the_folders() -> None:
    with pytest.raises(InvalidKeyError):
        paths.track(PLACE, "..", "stream", "track")


@given(st.text())
def test_whatever_the_prefix_the_result_is_a_key_or_an_error(template: str) -> None:
    try:
        prefix = expand_prefix(template, VALUES)
    except (ValueError, InvalidKeyError):
        return
    check_key(prefix)
