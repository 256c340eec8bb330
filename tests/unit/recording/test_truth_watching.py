"""Following stamps through a video: who comes, moves, leaves, stands still."""

from __future__ import annotations

from callboard.recording.truth.picture import draw
from callboard.recording.truth.stamp import Stamp
from callboard.recording.truth.watching import BATCH, Eye

WIDTH, HEIGHT, TILE = 320, 90, (160, 90)


def plane(left: Stamp | None, right: Stamp | None) -> bytes:
    """Two tiles side by side."""
    halves = [bytes([16]) * (160 * 90) if stamp is None else draw(stamp, *TILE).y for stamp in (left, right)]
    return b"".join(half[y * 160 : (y + 1) * 160] for y in range(90) for half in halves)


def frame(publisher: int, n: int) -> Stamp:
    return Stamp(publisher, n, 40 * n)


def watch(planes: list[bytes]) -> Eye:
    eye = Eye(WIDTH, HEIGHT)
    for index, luma in enumerate(planes):
        eye.feed(index / 25, luma)
    eye.finish()
    return eye


def test_every_frame_is_seen_with_its_times() -> None:
    eye = watch([plane(frame(1, n), frame(2, n)) for n in range(20)])
    assert sorted(eye.seen) == [1, 2]
    assert list(eye.seen[1].counter) == list(range(20))
    assert list(eye.seen[2].clock) == [n / 25 for n in range(20)]
    assert list(eye.seen[1].start) == [n / 25 for n in range(20)]
    assert abs(eye.seen[1].end[-1] - 20 / 25) < 1e-9
    assert abs(eye.end - 20 / 25) < 1e-9


def test_somebody_who_comes_between_two_searches_is_seen_from_the_first_frame() -> None:
    for first in range(BATCH + 1):
        eye = watch([plane(frame(1, n), frame(2, n) if n >= first else None) for n in range(3 * BATCH)])
        assert list(eye.seen[2].counter) == list(range(first, 3 * BATCH)), first


def test_somebody_who_moves_is_not_lost_for_a_frame() -> None:
    for move in range(1, 2 * BATCH):
        planes = [plane(frame(1, n), None) if n < move else plane(None, frame(1, n)) for n in range(3 * BATCH)]
        seen = watch(planes).seen[1]
        assert list(seen.counter) == list(range(3 * BATCH)), move
        assert seen.hidden == 0


def test_a_frame_that_stands_is_one_showing() -> None:
    eye = watch([plane(frame(1, min(n, 5)), None) for n in range(15)])
    assert list(eye.seen[1].counter) == [0, 1, 2, 3, 4, 5]
    assert abs(eye.seen[1].end[5] - 15 / 25) < 1e-9


def test_pictures_without_the_mark_end_the_showing_and_are_counted_once_it_is_back() -> None:
    eye = watch([plane(None if 4 <= n < 9 or n >= 20 else frame(1, n), frame(2, n)) for n in range(24)])
    seen = eye.seen[1]
    assert seen.hidden == 5
    assert abs(seen.end[3] - 4 / 25) < 1e-9
    assert abs(seen.end[-1] - 20 / 25) < 1e-9
