"""From a time line to scenes, tasks and a plan, without any media."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callboard.recording.composite.cast import Clip, end_of, figures_of
from callboard.recording.composite.look import SOUND_RATE, Look
from callboard.recording.composite.picture import picture_task, shortened
from callboard.recording.composite.plan import NothingCaptured, Plan, plan_of
from callboard.recording.composite.scenes import Scene
from callboard.recording.composite.sound import MOST_INPUTS, Mix, part_tasks, sound_task
from callboard.recording.timeline import Kind, Piece, PlacedTrack, Presence, Timeline

Span = tuple[float, float]
FONT = "/font.ttf"


def track(peer: str, kind: Kind, *spans: Span, source: str = "regular", mutes: tuple[Span, ...] = ()) -> PlacedTrack:
    pieces = tuple(
        Piece(file=f"/{peer}-{kind}-{source}-{n}.webm", codec="x", start=start, duration=end - start)
        for n, (start, end) in enumerate(spans)
    )
    return PlacedTrack(
        peer_id=peer,
        peer_name=peer.title(),
        user_id="",
        stream_id="",
        track_id=f"{peer}{kind}{source}",
        kind=kind,
        source=source,
        recording_id="",
        pieces=pieces,
        mutes=mutes,
    )


def timeline(*tracks: PlacedTrack, stays: dict[str, Span] | None = None) -> Timeline:
    presences = [
        Presence(peer_id=peer, peer_name=peer.title(), user_id="", role="", start=start, end=end)
        for peer, (start, end) in (stays or {}).items()
    ]
    return Timeline(
        session_id="s", room_id="r", started_at=0, duration=100.0, tracks=tracks, presences=tuple(presences)
    )


def scenes(plan: Plan) -> list[Scene]:
    return [scene for chunk in plan.chunks for scene in chunk.scenes]


def names(scene: Scene) -> list[str]:
    return [tile.name for tile in scene.tiles]


spans = st.tuples(st.floats(0, 40), st.floats(0.01, 40)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["regular", "screen"]), spans, spans), min_size=1, max_size=8
    ),
    st.integers(1, 4),
    st.integers(1, 30),
)
@settings(max_examples=60, deadline=None)
def test_scenes_cover_everything_once_and_never_leave_a_chunk(
    drawn: list[tuple[int, str, Span, Span]], tiles: int, chunk: int
) -> None:
    tracks = [track(f"p{peer}", "video", span, source=source, mutes=(mute,)) for peer, source, span, mute in drawn]
    plan = plan_of(timeline(*tracks), Look(tiles=tiles, chunk=chunk))
    at = 0
    for number, part in enumerate(plan.chunks):
        for scene in part.scenes:
            assert scene.first == at < scene.last
            assert scene.first // (chunk * 25) == (scene.last - 1) // (chunk * 25) == number
            assert len(scene.tiles) <= tiles
            at = scene.last
        assert part.mix.last * 25 == at * SOUND_RATE
    assert at == plan.pictures


def test_silent_listeners_have_no_place_and_somebody_without_a_camera_has_one() -> None:
    plan = plan_of(timeline(track("ann", "audio", (0, 10)), stays={"ann": (0, 10), "eve": (0, 10)}), Look())
    assert [names(scene) for scene in scenes(plan)] == [["Ann"]]


def test_what_was_captured_is_shown_though_the_database_says_they_were_not_there_yet() -> None:
    plan = plan_of(timeline(track("ann", "video", (1.0, 9.0)), stays={"ann": (1.2, 8.5)}), Look())
    assert [(scene.first, scene.last, names(scene)) for scene in scenes(plan)] == [(0, 25, []), (25, 225, ["Ann"])]


def test_the_recording_ends_with_the_last_media_not_with_the_wait_for_somebody_who_never_came_back() -> None:
    line = timeline(track("ann", "video", (1.0, 9.0)), stays={"ann": (0, 69.0)})
    assert end_of(line) == 9.0
    assert plan_of(line, Look()).seconds == 9.0


def test_a_session_without_media_has_no_plan() -> None:
    with pytest.raises(NothingCaptured):
        plan_of(timeline(track("ann", "video"), stays={"ann": (0, 9)}), Look())


def test_a_screen_that_is_away_for_a_moment_keeps_its_place() -> None:
    line = timeline(track("ann", "video", (0, 4), (7, 10), (20, 22), source="screen"), stays={"ann": (0, 30)})
    (_, screen) = figures_of(line)
    assert list(screen.spans) == [(0, 10), (20, 22)]
    assert screen.name == "Screen: Ann"


def test_the_newest_screen_is_the_large_one() -> None:
    line = timeline(track("ann", "video", (0, 10), source="screen"), track("ben", "video", (5, 10), source="screen"))
    first, second = scenes(plan_of(line, Look()))
    assert names(first) == ["Screen: Ann", "Ann"]
    assert names(second)[:2] == ["Screen: Ben", "Screen: Ann"]


def test_with_more_people_than_places_those_who_show_something_come_first_and_the_others_are_counted() -> None:
    line = timeline(
        track("ann", "audio", (0, 10), mutes=((0, 10),)),
        track("ben", "audio", (0, 10)),
        track("cat", "video", (0, 10), mutes=((5, 10),)),
        stays={"ann": (0, 10), "ben": (0, 10), "cat": (0, 10)},
    )
    first, second = scenes(plan_of(line, Look(tiles=1)))
    assert (names(first), first.hidden) == (["Cat"], 2)
    assert (names(second), second.hidden) == (["Ben"], 2)
    assert picture_task(second, Look(tiles=1), FONT).texts["hidden"] == "+2 more"


def test_a_muted_camera_is_no_new_scene() -> None:
    line = timeline(track("ann", "video", (0, 10), mutes=((3, 5), (8, 9))), stays={"ann": (0, 10)})
    (scene,) = scenes(plan_of(line, Look()))
    assert list(scene.tiles[0].seen) == [(0, 3), (5, 8), (9, 10)]
    graph = picture_task(scene, Look(), FONT).graph
    assert "enable='between(t,-0.0100,2.9700)+between(t,4.9900,7.9700)+between(t,8.9900,9.9700)'" in graph


def test_names_reach_ffmpeg_only_in_files() -> None:
    evil = "a':x=0,drawtext=text=boo;\n[out]%{pts}"
    line = timeline(track("ann", "video", (0, 10)), stays={"ann": (0, 10)})
    (scene,) = scenes(plan_of(line, Look()))
    tile = scene.tiles[0].__class__(scene.tiles[0].box, evil, scene.tiles[0].clips, scene.tiles[0].seen)
    task = picture_task(Scene(scene.first, scene.last, (tile,)), Look(), FONT)
    assert "boo" not in task.graph
    assert "boo" not in " ".join(task.inputs + task.output)
    assert task.texts["name0"].startswith("a':x=0")
    assert "\n" not in task.texts["name0"]


def test_long_names_are_cut_and_control_characters_are_blanks() -> None:
    assert shortened("A\x00B\nC", 600, 20) == "A B C"
    assert shortened("x" * 200, 120, 20) == "x" * 8 + "…"


def test_a_clip_that_began_before_the_scene_is_sought_in_and_one_that_begins_later_is_put_off() -> None:
    line = timeline(track("ann", "video", (1.0, 300.0)), track("ben", "video", (125.0, 300.0)))
    task = picture_task(scenes(plan_of(line, Look()))[3], Look(), FONT)
    inputs = " ".join(task.inputs)
    assert "-noaccurate_seek -ss 124.000000 -itsoffset -0.020000 -i file:/ann-video-regular-0.webm" in inputs
    assert "-itsoffset -0.020000 -i file:/ben-video-regular-0.webm" in inputs


def test_many_sounds_are_mixed_in_parts_first() -> None:
    clips = tuple(Clip(f"/{n}", 0.0, 10.0) for n in range(2 * MOST_INPUTS + 1))
    mix = Mix(0, 10 * SOUND_RATE, clips)
    parts = part_tasks(mix)
    assert [part.inputs.count("-i") for part in parts] == [MOST_INPUTS, MOST_INPUTS, 1]
    assert all("alimiter" not in part.graph for part in parts)
    assert parts[0].inputs[:2] == ("-c:a", "libopus"), "captures are decoded by what conceals losses"
    assert parts[0].inputs.count("libopus") == MOST_INPUTS
    whole = sound_task(mix, ["/a", "/b", "/c"])
    assert whole.inputs.count("-i") == 3
    assert "libopus" not in whole.inputs, "what was mixed is PCM"
    assert "amix=inputs=4:duration=first:normalize=0,alimiter" in whole.graph
    assert part_tasks(Mix(0, 1, clips[:MOST_INPUTS])) == []


def test_the_digest_names_the_plan() -> None:
    line = timeline(track("ann", "video", (0, 10)))
    assert plan_of(line, Look()).digest == plan_of(line, Look()).digest
    assert plan_of(line, Look()).digest != plan_of(line, Look(rate=30)).digest


def test_a_room_of_hundreds_who_mute_and_unmute_all_the_time_is_planned_soon_and_calmly() -> None:
    """An hour, 300 people, each muted every 20 s: places change every 5 s at most."""
    mutes = [tuple((n + 0.1 * peer, n + 10.0 + 0.1 * peer) for n in range(0, 3_560, 20)) for peer in range(300)]
    tracks = [track(f"p{peer:03d}", "audio", (0, 3_600), mutes=mutes[peer]) for peer in range(300)]
    found = scenes(plan_of(timeline(*tracks), Look()))
    assert all(len(scene.tiles) == 16 and scene.hidden == 284 for scene in found)
    assert all(scene.first % (5 * 25) == 0 for scene in found)
