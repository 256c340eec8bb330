"""What a client reports of its own troubles and connections (signal.md §3.2, `analytics`)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from callboard.signaling.methods.call import Call


class Report(msgspec.Struct, frozen=True):
    name: Annotated[str, msgspec.Meta(max_length=128)]
    info: msgspec.Raw = msgspec.Raw(b"{}")


async def report(call: Call, params: Report) -> None:
    """Take note of it. Nobody waits for that, and what is too much is dropped."""
    client = call.client
    live = await call.service.rooms.room(client.room_id)
    call.service.hear(live, client.person, params.name, params.info, client.agent)
