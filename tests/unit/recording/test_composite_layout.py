"""Places in the picture: within it, without overlap, even, as large as they can be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.recording.composite.layout import BESIDE, Box, arrange, most_people
from callboard.recording.composite.look import FONTS, Look, LookError, check, find_font

sides = st.integers(120, 960).map(lambda half: 2 * half)


@given(sides, sides, st.integers(0, 49), st.booleans())
def test_boxes_are_within_the_picture_even_and_apart(width: int, height: int, people: int, shared: bool) -> None:
    people = min(people, BESIDE) if shared else people
    boxes = arrange(width, height, people, shared=shared)
    assert len(boxes) == people + shared
    for number, box in enumerate(boxes):
        assert all(value % 2 == 0 for value in box)
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= width
        assert box.y + box.height <= height
        for other in boxes[number + 1 :]:
            assert apart(box, other)


def apart(one: Box, other: Box) -> bool:
    beside = one.x + one.width <= other.x or other.x + other.width <= one.x
    return beside or one.y + one.height <= other.y or other.y + other.height <= one.y


@pytest.mark.parametrize(
    ("people", "columns", "rows"), [(1, 1, 1), (2, 2, 1), (3, 2, 2), (4, 2, 2), (9, 3, 3), (10, 4, 3)]
)
def test_a_grid_is_as_square_as_it_can_be(people: int, columns: int, rows: int) -> None:
    boxes = arrange(1280, 720, people, shared=False)
    assert len({box.x for box in boxes[:columns]}) == columns
    assert len({box.y for box in boxes}) == rows


def test_a_last_row_that_is_not_full_is_centred() -> None:
    *_, last = arrange(1280, 720, 3, shared=False)
    assert last.x + last.width / 2 == pytest.approx(640, abs=2)


def test_a_shared_screen_has_three_quarters_of_the_width_and_all_of_it_when_it_is_alone() -> None:
    screen, *others = arrange(1280, 720, 3, shared=True)
    assert screen.width == pytest.approx(960, abs=10)
    assert all(box.x >= screen.x + screen.width for box in others)
    assert arrange(1280, 720, 0, shared=True)[0].width > 1260
    assert most_people(16, shared=True) == BESIDE
    assert most_people(1, shared=True) == 0


@pytest.mark.parametrize(
    ("look", "says"),
    [
        (Look(width=1281), "width 1281: allowed are even numbers from 240 to 1920"),
        (Look(height=2000), "height 2000"),
        (Look(rate=29), "rate 29: allowed are 10, 12"),
        (Look(tiles=0), "tiles 0: allowed are 1 to 49"),
        (Look(chunk=0), "chunk 0 s"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_words(look: Look, says: str) -> None:
    with pytest.raises(LookError, match=says):
        check(look)


def test_a_missing_font_is_an_error_that_says_what_to_install() -> None:
    with pytest.raises(LookError, match=r"install fonts-dejavu-core.*/nowhere/font\.ttf"):
        find_font(Look(font="/nowhere/font.ttf"))
    assert find_font(Look()) in FONTS
