"""What the platform's API has and this server does not yet: answered 501, in words (platform.md §3.7 to §3.9, §3.13).

Owns: the list of those routes. Whoever builds one takes it out of the list.

Always holds: they are asked for a token like all others, so that a stranger does not learn from them what is here, and
they change nothing.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final, NamedTuple

from litestar import HttpMethod, Response, Router, route
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec

from callboard.api.errors import Error, answer, errors

STREAMS: Final = "Live streams (HLS)"
EXTERNAL: Final = "External streams (RTMP out)"
KEYS: Final = "Stream keys (RTMP in)"
SIP: Final = "SIP"
BROWSER: Final = "Browser recordings"


class NotHere(NamedTuple):
    """A route that answers 501. `path` is below `/v2`."""

    method: HttpMethod
    path: str
    operation: str
    summary: str
    tag: str


def _streams(folder: str, noun: str, tag: str) -> list[NotHere]:
    """The routes that both kinds of streams have."""
    name, article = noun.replace(" ", "_"), "an" if noun[0] in "aeiou" else "a"
    return [
        NotHere(
            HttpMethod.POST, f"/{folder}/room/{{room_id:str}}/start", f"start_{name}", f"Start {article} {noun}", tag
        ),
        NotHere(
            HttpMethod.POST, f"/{folder}/room/{{room_id:str}}/stop", f"stop_{name}s", f"Stop a room's {noun}s", tag
        ),
        NotHere(HttpMethod.POST, f"/{folder}/{{stream_id:str}}/stop", f"stop_{name}", f"Stop {article} {noun}", tag),
        NotHere(HttpMethod.GET, f"/{folder}/{{stream_id:str}}", f"get_{name}", f"Get {article} {noun}", tag),
        NotHere(HttpMethod.GET, f"/{folder}", f"list_{name}s", f"List {noun}s", tag),
    ]


POST, GET = HttpMethod.POST, HttpMethod.GET
LIVE: Final = "/live-streams/{stream_id:str}"
NOT_HERE: Final = (
    *_streams("live-streams", "live stream", STREAMS),
    NotHere(POST, f"{LIVE}/timed-metadata", "send_timed_metadata", "Put metadata into a live stream", STREAMS),
    NotHere(POST, f"{LIVE}/pause-recording", "pause_stream_recording", "Pause a live stream's recording", STREAMS),
    NotHere(POST, f"{LIVE}/resume-recording", "resume_stream_recording", "Resume a live stream's recording", STREAMS),
    *_streams("external-streams", "external stream", EXTERNAL),
    NotHere(POST, "/stream-keys/room/{room_id:str}", "create_stream_key", "Create a stream key", KEYS),
    NotHere(GET, "/stream-keys/room/{room_id:str}", "get_stream_key", "Get a room's stream key", KEYS),
    NotHere(POST, "/stream-keys/room/{room_id:str}/disable", "disable_stream_key", "Disable a stream key", KEYS),
    NotHere(POST, "/recordings/room/{room_id:str}/start", "start_recording", "Start a browser recording", BROWSER),
    NotHere(POST, "/recordings/room/{room_id:str}/stop", "stop_recordings", "Stop a room's recordings", BROWSER),
    NotHere(POST, "/recordings/room/{room_id:str}/pause", "pause_recording", "Pause a room's recording", BROWSER),
    NotHere(POST, "/recordings/room/{room_id:str}/resume", "resume_recording", "Resume a room's recording", BROWSER),
    NotHere(POST, "/recordings/{recording_id:str}/stop", "stop_recording", "Stop a browser recording", BROWSER),
    NotHere(POST, "/sip/outbound/trunks", "create_sip_trunk", "Create a SIP trunk", SIP),
    NotHere(POST, "/sip/outbound/trunks/{trunk_id:str}", "update_sip_trunk", "Change a SIP trunk", SIP),
    NotHere(POST, "/sip/outbound/call", "call_by_sip", "Call somebody by SIP", SIP),
    NotHere(POST, "/sip/dtmf", "send_dtmf", "Send DTMF tones", SIP),
)
"""All of them."""

_PARAMETER: Final = re.compile(r"\{(\w+):str\}")


def handler_of(one: NotHere) -> HTTPRouteHandler:
    """The handler of one of them."""
    text = f"{one.tag}: this server does not have that yet"
    code = HTTPStatus.NOT_IMPLEMENTED

    @route(
        one.path,
        http_method=one.method,
        status_code=code,
        operation_id=one.operation,
        summary=one.summary,
        description="Answers 501: not there yet.",
        responses={**errors(), int(code): ResponseSpec(Error, description=code.phrase, generate_examples=False)},
        tags=[one.tag],
    )
    async def not_here() -> Response[Error]:
        return answer(code, "Not Implemented", (text,))

    return not_here


def not_here_routes() -> Router:
    """The routes."""
    return Router("/", route_handlers=[handler_of(one) for one in NOT_HERE])
