"""Drawing truth pictures, finding and reading them again after what recordings do to them.

What codecs do is tested with real files in `tests/media/test_truth_files.py`.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callboard.recording.truth.picture import draw, draw_black
from callboard.recording.truth.reading import locate
from callboard.recording.truth.stamp import CLOCKS, COUNTERS, Stamp

STAMP = Stamp(5, 123_456, 987_654_321)
SIZES = [(320, 180), (640, 360), (180, 320), (160, 120), (1280, 720), (96, 60)]


class Canvas:
    """A luma plane that others are put into."""

    def __init__(self, width: int, height: int, value: int) -> None:
        self.width, self.height = width, height
        self.luma = bytearray([value]) * (width * height)

    def put(self, tile: Canvas, left: int, top: int) -> None:
        for y in range(tile.height):
            start = (top + y) * self.width + left
            self.luma[start : start + tile.width] = tile.luma[y * tile.width : (y + 1) * tile.width]

    def read(self) -> list[Stamp | None]:
        luma = bytes(self.luma)
        return [region.read(luma) for region in locate(luma, self.width, self.height)]


def drawn(stamp: Stamp, width: int, height: int) -> Canvas:
    canvas = Canvas(width, height, 0)
    canvas.luma = bytearray(draw(stamp, width, height).y)
    return canvas


def scaled(source: Canvas, width: int, height: int) -> Canvas:
    """Bilinear, as scalers do."""
    result = Canvas(width, height, 0)
    for y in range(height):
        row, down = divmod((y + 0.5) * source.height / height - 0.5, 1)
        for x in range(width):
            column, across = divmod((x + 0.5) * source.width / width - 0.5, 1)
            result.luma[y * width + x] = round(
                sum(
                    (across if dx else 1 - across)
                    * (down if dy else 1 - down)
                    * _clamped(source, column + dx, row + dy)
                    for dx in (0, 1)
                    for dy in (0, 1)
                )
            )
    return result


def _clamped(source: Canvas, x: float, y: float) -> int:
    column, row = min(max(int(x), 0), source.width - 1), min(max(int(y), 0), source.height - 1)
    return source.luma[row * source.width + column]


def cropped(source: Canvas, width: int, height: int) -> Canvas:
    left, top = (source.width - width) // 2, (source.height - height) // 2
    result = Canvas(width, height, 0)
    for y in range(height):
        start = (top + y) * source.width + left
        result.luma[y * width : (y + 1) * width] = source.luma[start : start + width]
    return result


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_picture_of_any_size_is_read(width: int, height: int) -> None:
    planes = draw(STAMP, width, height)
    assert [len(plane) for plane in planes] == [width * height, width * height // 4, width * height // 4]
    assert drawn(STAMP, width, height).read() == [STAMP]


@settings(max_examples=60, deadline=None)
@given(st.builds(Stamp, st.integers(0, 15), st.integers(0, COUNTERS - 1), st.integers(0, CLOCKS - 1)))
def test_every_stamp_is_read_in_a_small_picture(stamp: Stamp) -> None:
    assert drawn(stamp, 96, 60).read() == [stamp]


@pytest.mark.parametrize("size", [(106, 60), (107, 61), (120, 60), (90, 60)])
def test_a_tile_of_a_third_of_the_size_is_read_even_when_its_sides_are_not_in_proportion(size: tuple[int, int]) -> None:
    tile = scaled(drawn(STAMP, 320, 180), *size)
    canvas = Canvas(256, 144, 16)
    canvas.put(tile, 37, 21)
    assert canvas.read() == [STAMP]


@pytest.mark.parametrize(
    ("width", "height", "to_width", "to_height"),
    [(640, 360, 202, 360), (640, 360, 360, 360), (640, 480, 640, 360), (180, 320, 180, 102), (360, 640, 360, 360)],
)
def test_a_picture_that_was_cropped_to_fill_a_tile_is_read(
    width: int, height: int, to_width: int, to_height: int
) -> None:
    canvas = Canvas(to_width + 40, to_height + 40, 16)
    canvas.put(cropped(drawn(STAMP, width, height), to_width, to_height), 20, 20)
    assert canvas.read() == [STAMP]


def test_all_of_sixteen_tiles_are_read() -> None:
    canvas = Canvas(640, 360, 16)
    stamps = [Stamp(publisher, 1000 + publisher, 40 * publisher) for publisher in range(16)]
    for stamp in stamps:
        canvas.put(drawn(stamp, 156, 86), stamp.publisher % 4 * 160 + 2, stamp.publisher // 4 * 90 + 2)
    found = canvas.read()
    assert sorted(found, key=lambda stamp: stamp.publisher if stamp else -1) == stamps


@pytest.mark.parametrize("stamp", [Stamp(0, 0, 0), Stamp(15, COUNTERS - 1, CLOCKS - 1)])
def test_only_the_bars_are_black_from_side_to_side(stamp: Stamp) -> None:
    luma = draw(stamp, 320, 180).y
    dark_rows = [y for y in range(180) if max(luma[y * 320 + 115 : y * 320 + 205]) < 100]
    assert len(dark_rows) == 2 * 9


def test_noise_and_low_contrast_leave_it_readable() -> None:
    chance = random.Random(7)
    canvas = drawn(STAMP, 320, 180)
    canvas.luma = bytearray(max(0, min(255, round(40 + 0.7 * value + chance.gauss(0, 8)))) for value in canvas.luma)
    assert canvas.read() == [STAMP]


def test_a_stroke_through_a_cell_makes_it_unreadable_and_not_wrong() -> None:
    canvas = drawn(STAMP, 320, 180)
    for y in range(80, 92):
        for x in range(140, 152):
            canvas.luma[y * 320 + x] ^= 0xFF
    assert canvas.read() == []


def test_nothing_is_found_where_nothing_is() -> None:
    chance = random.Random(3)
    noise = Canvas(320, 180, 0)
    noise.luma = bytearray(chance.randbytes(320 * 180))
    black = Canvas(320, 180, 0)
    black.luma = bytearray(draw_black(320, 180).y)
    white = Canvas(320, 180, 235)
    assert [noise.read(), black.read(), white.read()] == [[], [], []]


@pytest.mark.parametrize(("width", "height"), [(321, 180), (320, 181), (320, 58)])
def test_a_size_that_cannot_carry_it_is_an_error(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="allowed are even sides"):
        draw(STAMP, width, height)
    with pytest.raises(ValueError, match="allowed are even sides"):
        draw_black(width, height)
