"""The REST calls that the demo makes, as a customer's backend would.

Owns: `Rest`, one workspace at one server.

Always holds: every call has a deadline, and what comes back was accepted by the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from callboard.demo.http import request_json
from callboard.demo.seen import Committed, Event
from callboard.events import parse

PAGE = 100


class Rest:
    """Calls with a management token. All raise `HttpError` when refused, `OSError` when not reached."""

    def __init__(self, base_url: str, token: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._token = token

    async def create_template(self, name: str, roles: Mapping[str, Mapping[str, Any]]) -> str:
        """A template with these roles (platform.md §2.2); returns its id."""
        return str((await self.post("/v2/templates", {"name": name, "roles": roles}))["id"])

    async def create_room(self, name: str, template_id: str) -> str:
        """A room of this template; returns its id."""
        return str((await self.post("/v2/rooms", {"name": name, "template_id": template_id}))["id"])

    async def record(self, template_id: str, **recording: object) -> None:
        """Have sessions of this template recorded: `trackRecording={"enabled": True}` and the like."""
        wanted = {"name": "recording", "role": "host", **recording}
        await self.post(f"/v2/templates/{template_id}/recordings", [wanted])

    async def create_endpoint(self, url: str, secret: str) -> None:
        """Have all events from now on delivered to `url`, signed with `secret` (`whsec_…`)."""
        await self.post("/v2/webhook-endpoints", {"url": url, "secrets": [secret]})

    async def ledger(self, room_id: str, after: int = 0) -> tuple[list[Committed], int]:
        """The room's records after this position, oldest first, and the position to go on from."""
        found: list[Committed] = []
        while True:
            query = urlencode({"room_id": room_id, "after": after, "limit": PAGE})
            page = await self.get(f"/v2/events?{query}")
            found += [committed_of(record) for record in page["events"]]
            after = int(page["next"])
            if len(page["events"]) < PAGE:
                return found, after

    async def get(self, path: str) -> Any:
        """Any GET."""
        return await request_json("GET", self._base_url + path, token=self._token)

    async def post(self, path: str, body: object) -> Any:
        """Any POST."""
        return await request_json("POST", self._base_url + path, token=self._token, body=body)


def committed_of(record: Mapping[str, Any]) -> Committed:
    """A record of `GET /v2/events`. Raises `KeyError`, `ValueError`."""
    envelope = record["event"]
    event = Event(envelope["id"], record["stream"], int(record["seq"]), envelope["type"], dict(envelope["data"]))
    return Committed(event, parse(record["committed_at"]))
