"""What a transition produces: rows to write, events to report, and on what condition. No SQL, no I/O.

Owns: `Changes`, `Fact`.

Always holds: the rows and the facts of one `Changes` are committed in one transaction (DESIGN §1.1), all of them or,
when one of its guards does not hold, none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from callboard.database import Delete, Guard, Put
from callboard.events import Payload


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened and is to be reported: a payload and its circumstances.

    `stream` orders it: the session's id, or the room's id for what happens while no session is open. A fact with a
    `session_id` is always in that session's stream, and all facts of a stream have the same `room_id`.
    `at` is nanoseconds since the epoch. `actor` says who (`peer:<id>`, `api`, `server`), `cause` what made it happen
    (`websocket leave`, `rest end-room`, `deadline`, `restart`, …): both are for people, not for programs; but what has
    the actor `TEST` did not happen, and its body says so.

    `hook` is the room's id if the room has a webhook of its own, to which its events go instead of to the workspace's
    endpoints (platform.md §10.1), else ''. All events of a session go where the first one goes; those need not say it.
    """

    id: str
    payload: Payload
    stream: str
    at: int
    template_id: str
    room_id: str = ""
    session_id: str = ""
    peer_id: str = ""
    actor: str = "server"
    cause: str = ""
    hook: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows and facts that belong together. `a + b` puts them one after the other.

    `guards` are for those whom somebody else can overtake (jobs are, by the next holder of their lease).
    """

    rows: tuple[Put | Delete, ...] = ()
    facts: tuple[Fact, ...] = field(default=())
    guards: tuple[Guard, ...] = ()

    def __add__(self, other: Changes) -> Changes:
        return Changes(self.rows + other.rows, self.facts + other.facts, self.guards + other.guards)

    def __bool__(self) -> bool:
        return bool(self.rows or self.facts)
