"""Answering the client on its API channel.

Owns: `ApiDesk`.

Always holds: every request that can be answered is answered at once, before it is carried out: a client that
waits for an answer does not play the track (signal.md §5.5).
"""

from __future__ import annotations

import logging
from typing import Protocol

from callboard.media.apiprotocol import (
    BAD_REQUEST,
    NOT_FOUND,
    Preference,
    Refusal,
    Request,
    parse_request,
    reply_error,
    reply_ok,
)
from callboard.media.contract import MediaCounters

log = logging.getLogger("callboard.media")


class Front(Protocol):
    """The subscriber, as this desk sees it."""

    def find(self, kind: str, track_id: str) -> tuple[str, str] | None: ...

    def prefer(self, key: tuple[str, str], preference: Preference) -> None: ...

    def say(self, text: str) -> bool: ...

    def channel_lost(self, reason: str) -> None: ...


class ApiDesk:
    """The `ChannelOwner` of one subscriber."""

    def __init__(self, counters: MediaCounters, front: Front) -> None:
        self._counters = counters
        self._front = front

    def channel_opened(self) -> None:
        self._counters.channels_opened += 1

    def channel_late(self) -> None:
        self._counters.channel_alarms += 1
        log.warning("an API channel is not open yet: muted tracks will not play, layers cannot be chosen")

    def channel_lost(self, reason: str) -> None:
        self._counters.channel_alarms += 1
        self._front.channel_lost(reason)

    def channel_message(self, text: str) -> None:
        request = parse_request(text)
        if request is None:
            self._counters.channel_rejections += 1
            return
        self._counters.channel_requests += 1
        if not self._front.say(self._reply(request)):
            log.info("a reply on an API channel could not be sent")

    def _reply(self, request: Request | Refusal) -> str:
        if isinstance(request, Refusal):
            self._counters.channel_rejections += 1
            return reply_error(request.id, BAD_REQUEST, request.message)
        key = self._front.find(request.kind, request.track_id)
        if key is None:
            return reply_error(request.id, NOT_FOUND, "there is no such track")
        self._front.prefer(key, request.preference)
        return reply_ok(request.id)
