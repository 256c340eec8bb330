"""The rows of the board: what a line says, on a terminal and elsewhere."""

from __future__ import annotations

import io

from rich.console import Console

from callboard.demo.seen import Delivered, Event
from callboard.demo.table import Board, row

AT = 1_700_000_000_123_000_000


def delivered(kind: str = "peer.leave.success", seq: int = 3, **data: str) -> Delivered:
    return Delivered(Event("e", "s", seq, kind, data), AT)


def test_a_row_says_when_what_who_why_and_how_late() -> None:
    one = delivered(user_name="Ann", reason="peer kicked", message="bye")
    assert row(one, AT - 4_200_000) == (
        "3",
        "22:13:20.123",
        "peer.leave.success",
        "Ann",
        "peer kicked: bye",
        "4.2 ms",
    )


def test_without_the_instant_of_the_commit_there_is_no_latency() -> None:
    assert row(delivered(), None)[5] == "?"


def test_a_change_of_role_says_from_what_to_what() -> None:
    one = delivered("role.change.success", user_name="Ben", previous_role="guest", role="viewer")
    assert row(one, AT)[4] == "guest → viewer"


def test_elsewhere_than_on_a_terminal_every_event_is_a_plain_line() -> None:
    out = io.StringIO()
    with Board(Console(file=out, width=40)) as board:
        board.say("1. They join")
        board.show(delivered(user_name="[red]Ann"), AT)
    assert out.getvalue() == ("1. They join\n   3 22:13:20.123 peer.leave.success     [red]Ann  [0.0 ms]\n")


def test_on_a_terminal_the_events_are_a_table() -> None:
    out = io.StringIO()
    with Board(Console(file=out, width=120, force_terminal=True)) as board:
        board.show(delivered(user_name="[red]Ann"), AT)
    assert "commit to receipt" in out.getvalue()
    assert "[red]Ann" in out.getvalue()
