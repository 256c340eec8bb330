"""Which rooms' webhooks a replay to all of them sends nothing more. Pure.

Owns: `Troubles`.

Always holds: what happens at one room's webhook says nothing of the others. When `DOWN_AFTER` events in a row have
failed at one, and none because it was refused, the rest of that room's is left out, so that the others need not wait
for it; the end of the replay says so.
"""

from __future__ import annotations

from typing import Final

from callboard.webhooks.replays.part import DOWN_AFTER, Step

MOST_NAMED: Final = 5
"""Rooms, in the message."""


class Troubles:
    """Of one try."""

    def __init__(self) -> None:
        self._streaks: dict[str, int] = {}
        self._down: dict[str, str] = {}

    def left_out(self, room_id: str) -> bool:
        """Whether nothing more is sent to this room's webhook."""
        return room_id in self._down

    def gone(self, room_id: str) -> None:
        """The room has no webhook any more."""
        self._down[room_id] = "is no more"

    def judged(self, room_id: str, step: Step) -> Step:
        """What follows for this event, when `step` is what would, were the room's webhook the only one."""
        match step:
            case Step.ACCEPTED | Step.REFUSED:
                self._streaks.pop(room_id, None)
            case Step.FAILED:
                self._streaks[room_id] = self._streaks.get(room_id, 0) + 1
                if self._streaks[room_id] >= DOWN_AFTER:
                    self._down[room_id] = "does not work"
            case Step.GONE:
                self._down[room_id] = "says that it is gone"
            case _:
                return step
        return Step.ACCEPTED if step is Step.ACCEPTED else Step.REFUSED

    def said(self) -> str:
        """What was left out, in a few words; "" if nothing was."""
        if not self._down:
            return ""
        named = [f"{room_id} {why}" for room_id, why in list(self._down.items())[:MOST_NAMED]]
        more = len(self._down) - len(named)
        return f"left out: the webhook of room {', '.join(named)}" + (f", and {more} more" if more else "")
