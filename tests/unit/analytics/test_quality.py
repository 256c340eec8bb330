"""A client's reports of its connections, put together to time series."""

from __future__ import annotations

from typing import Any

import msgspec

from callboard.analytics.quality import document, reported, series

PUBLISHED: dict[str, Any] = {
    "sequence_num": 1,
    "joined_at": 1,
    "video": [
        {
            "track_id": "cam",
            "ssrc": "1",
            "source": "regular",
            "rid": "f",
            "samples": [
                {
                    "timestamp": 2000,
                    "avg_bitrate_bps": 2_500_000,
                    "avg_fps": 30,
                    "total_packets_sent": 1000,
                    "total_packets_lost": 3,
                    "avg_round_trip_time_ms": 45,
                    "resolution": {"width_px": 1280},
                }
            ],
        },
        {"track_id": "cam", "source": "regular", "rid": "q", "samples": [{"timestamp": 2000}]},
        {"track_id": "desk", "source": "screen", "samples": []},
    ],
    "audio": [{"track_id": "mic", "source": "regular", "samples": [{"timestamp": 2000, "avg_jitter_ms": 2.1}]}],
}
RECEIVED: dict[str, Any] = {
    "video": [{"track_id": "v", "samples": [{"timestamp": 1, "avg_frames_decoded_per_sec": 15, "freeze_count": 0}]}],
    "audio": [
        {
            "track_id": "a",
            "samples": [
                {
                    "timestamp": 1,
                    "audio_concealed_samples": 7,
                    "total_packets_received": 98,
                    "total_packets_lost": 2,
                }
            ],
        }
    ],
}


def kept(name: str, info: Any) -> str:
    found = reported(name, info)
    assert found is not None
    return document(found)


def shown(*documents: str) -> Any:
    return msgspec.to_builtins(series(documents))


def test_reports_become_series_as_documented() -> None:
    found = shown(kept("publisher.stats", PUBLISHED), kept("subscriber.stats", RECEIVED))
    camera = found["publisher"]["video"][0]
    assert camera == {
        "track_id": "cam",
        "type": "regular",
        "rid": "h",
        "time_series": {
            "timestamps": [2000],
            "bitrate": [2_500_000],
            "fps": [30],
            "packet_loss_percent": [0.3],
            "rtt_ms": [45],
        },
    }
    assert [(one["track_id"], one["rid"], one["type"]) for one in found["publisher"]["video"]] == [
        ("cam", "h", "regular"),
        ("cam", "l", "regular"),
        ("desk", None, "screen"),
    ]
    assert found["publisher"]["audio"][0]["time_series"]["jitter_ms"] == [2.1]
    assert found["subscriber"]["video"] == [
        {
            "track_id": "v",
            "type": "regular",
            "time_series": {"timestamps": [1], "bitrate": [None], "fps": [15], "freeze_count": [0]},
        }
    ]
    assert found["subscriber"]["audio"][0]["time_series"] == {
        "timestamps": [1],
        "bitrate": [None],
        "concealed_samples": [7],
        "packet_loss_percent": [2.0],
    }


def test_reports_of_one_track_are_one_series_in_the_order_of_time() -> None:
    later = {"audio": [{"track_id": "a", "samples": [{"timestamp": 3}, {"timestamp": 2}]}]}
    found = shown(kept("subscriber.stats", later), kept("subscriber.stats", RECEIVED))
    assert [one["time_series"]["timestamps"] for one in found["subscriber"]["audio"]] == [[1, 2, 3]]


def test_without_reports_all_arrays_are_empty() -> None:
    nothing: dict[str, list[Any]] = {"video": [], "audio": []}
    assert shown() == {"publisher": nothing, "subscriber": nothing}


def test_what_is_no_report_is_not_kept() -> None:
    many = {"audio": [{"track_id": "a"}] * 201}
    samples = {"audio": [{"track_id": "a", "samples": [{"timestamp": 1}] * 101}]}
    wrong: tuple[Any, ...] = (
        {"video": 1},
        {"video": [{}]},
        many,
        samples,
        {"audio": [{"track_id": "a", "samples": [{"timestamp": -1}]}]},
    )
    assert [reported("publisher.stats", info) for info in wrong] == [None] * 5
    assert reported("join.success", {}) is None
