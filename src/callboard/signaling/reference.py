"""`docs/signalling.md`: what of the client protocol is here, made from the table of methods.

Owns: the page. Always holds: a method is in the table exactly when the server takes it.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from callboard.media.degradation import DegradePolicy
from callboard.signaling import audience, counts, quality, repeats, session_store, socket, speakers, wire
from callboard.signaling.methods import METHODS, Method, groups, later, media, messages, roles, search
from callboard.signaling.methods.call import FLAGS

PAGE: Final = "signalling.md"

NOTIFIES: Final = frozenset({"answer", "trickle", "track-update", "leave", "analytics"})
"""What the official client sends without an id: nothing is answered (signal.md §2.2)."""

TOLD: Final = (
    ("on-policy-change", "first of all, and when the peer's role changes"),
    ("room-info, session-info, room-state", "who has not joined: how many are in, and when that changes"),
    ("peer-list, room-info, session-info", "who has joined, and who is back after a loss"),
    ("on-peer-join, on-peer-leave, on-peer-update", "who sees that peer; a change of its groups the peer itself too"),
    ("on-track-add, on-track-update, on-track-remove", "who sees that peer"),
    ("session-info", "everybody, when somebody came or left"),
    ("offer, trickle", "who subscribes to something; one offer at a time"),
    ("on-role-change-request", "who is asked to take another role"),
    ("on-track-update-request, on-change-track-mute-state-request", "who is asked to mute or unmute"),
    ("on-peer-leave-request", "who is removed, and everybody but the one who ended the room"),
    ("on-broadcast", "whom the message is for, never its sender"),
    ("on-metadata-change", "who listens to the key; at once what it is, and again after a loss"),
    ("on-poll-start, on-poll-stop, on-poll-stats", "roles that may read polls"),
    ("active-speakers", "who receives them; on the API channel"),
    ("on-connection-quality-update", "who sees that peer; on the API channel"),
    ("on-track-layer-update", "who is sent less of a video than it asked for, or again all; on the API channel"),
    ("node-info", "whose transports are gone: it builds new ones"),
    ("on-error", "who may not be here: it ends the client"),
    ("on-warning", "who sent a frame that could not be read"),
)


def page() -> str:
    """The page's text."""
    policy = DegradePolicy()
    parts = [
        "# Signalling: what the official clients can do here",
        "Made by `make docs` out of `src/callboard/signaling/methods/`; a test compares it.",
        "An application written on the official client SDK (`@100mslive/hms-video-store` and what is built on it) is"
        " given this server's address as its `initEndpoint`, and a token that this server knows. It asks `GET /init`,"
        " which names the WebSocket, and from then on speaks JSON-RPC on that.",
        f"`/init` enables {_listed(FLAGS)} for every client, and `onDemandTracks` if `rooms.on_demand_tracks` is set.",
        "## What a client may send",
        f"A call is answered once; a notify (marked ¹) is not. Frames are of at most {socket.Limits().frame:,} bytes"
        " (`limits.max_frame_bytes`). A parameter that is not here is not looked at. *Permission* is that of the"
        " caller's role in its template, checked on the server whatever the client shows.",
        _methods(),
        "¹ Sent without an id by the official client, and not answered. ² Refused: see below.",
        "## Errors",
        "400 wrong parameters, which and why; 403 the role may not; 404 no such peer, poll, track or method; 409 it"
        " clashes (the peer id is taken, the poll is over); 410 the room is disabled, or the peer was given up; 413 the"
        " frame is too long; 421 the transports are gone: `node-info` follows; 429 too many calls; 500 our fault; 503"
        " no media or no database for the moment. The client tries 429 and 5xx again by itself, at most three times.",
        f"404 with a sentence that can be shown is the answer to {_listed(later.NOT_HERE)}: the server does not do that"
        " for clients (recordings and streams are started over REST, where they are).",
        "## What a client is told",
        _table(("notification", "to whom, when"), [(f"`{name.replace(', ', '`, `')}`", when) for name, when in TOLD]),
        "## Limits",
        _table(("what", "limit"), _limits()),
        "## Large rooms",
        f"In a room with `large_room`, or with more than `rooms.full_list_peers` ({audience.FULL_LIST_PEERS}) peers,"
        " who joins is told only of those who publish something and whose role it receives, as they come and go;"
        " `room-info` says `large_room_optimization`. The others are found by `find-peer`, `peer-iter-next` and"
        " `peer-name-search`. So a join costs the one who joins the same however full the room is. Who joined before"
        " the room grew goes on seeing everybody.",
        "## Video layers and bad links",
        "A role whose `publishParams.simulcast.video.layers` is set publishes in so many layers; each receiver is sent"
        " the one that it asks for, which the client does by the size of the element that shows it. Not shown is not"
        " sent.",
        f"A receiver that loses {policy.loss:g} % of what is sent to it for {policy.degrade_after:g} s (its role's"
        " `subscribeDegradation` says otherwise) is sent smaller layers, then no video; of publishers whose role has a"
        f" higher `priority` number first. Sound always is. After {policy.recover_after:g} s without trouble it gets it"
        " back step by step, the more slowly the oftener that was too early. What counts is the loss that the tracks of"
        " *every* publisher suffer: one publisher's bad uplink is not the receiver's fault.",
        "## Losing and coming back",
        "A client that lost its socket comes back with the same peer id within `rooms.reconnect_grace_seconds`: it has"
        " not left, its media go on, and it is told again who is there. Calls that it makes again because it did not"
        f" hear the answer are carried out once, if they come with the same parameters within {repeats.WINDOW:g} s."
        " When the media engine or the server was restarted, its `offer` is answered 421 and `node-info` names the"
        " new one: the official client then builds new transports and publishes again by itself.",
    ]
    return "\n\n".join(parts) + "\n"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _methods() -> str:
    rows: list[tuple[str, ...]] = [("`ping`", "`timestamp`", "", "The timestamp back.")]
    for name, method in METHODS.items():
        mark = "²" if name in later.NOT_HERE else "¹" if name in NOTIFIES else ""
        rows.append((f"`{name}`{mark}", _parameters(method), method.needs, _summary(method)))
    return _table(("method", "parameters (`?`: may be left out)", "permission", "what it does"), rows)


def _summary(method: Method) -> str:
    text = re.sub(r" \(signal\.md[^)]*\)", "", " ".join((method.handler.__doc__ or "").split()))
    return "Not here." if method.handler is later.refuse else text.split(". ")[0].rstrip(".") + "."


def _parameters(method: Method) -> str:
    found = []
    for one in msgspec.structs.fields(method.params):
        bounds = "" if one.type is msgspec.Raw else _bounds(_schema(one.type))
        found.append(f"`{one.encode_name}{'' if one.required else '?'}`{f' ({bounds})' if bounds else ''}")
    return ", ".join(found)


def _schema(kind: Any) -> dict[str, Any]:
    schema: dict[str, Any] = msgspec.json.schema(kind)
    return schema


def _bounds(value: dict[str, Any]) -> str:
    """The limits of a value, in words."""
    value = next((one for one in value.get("anyOf", ()) if one.get("type") != "null"), value)
    said = []
    for key, words in (
        ("maxLength", "at most {:,} characters"),
        ("minimum", "from {}"),
        ("maximum", "to {:,}"),
        ("maxItems", "at most {}"),
        ("maxProperties", "at most {}"),
    ):
        if key in value:
            said.append(words.format(value[key]))
    if "enum" in value:
        said.append(" or ".join(str(one) for one in value["enum"]))
    return " ".join(said)


def _limits() -> list[tuple[str, ...]]:
    limits = socket.Limits()
    return [
        (
            "messages of a client (`limits.messages_…`)",
            f"{limits.messages.per_second:g} a second, {limits.messages.burst} at once; more wait",
        ),
        (
            "calls of a client (`limits.calls_…`)",
            f"{limits.calls.per_second:g} a second, {limits.calls.burst} at once; more are answered 429",
        ),
        ("messages that a client leaves unread", f"{limits.outbox}; then it is cut off (close code 1013)"),
        ("silence of a client", f"{socket.SILENCE_SECONDS:g} s; then its socket is closed"),
        ("a chat message", f"{messages.MAX_MESSAGE_BYTES} bytes"),
        ("tracks of a peer", f"{media.MAX_TRACKS}"),
        ("groups of a peer", f"{groups.MAX_GROUPS}"),
        ("role changes that a peer is asked to agree to", f"{roles.MAX_PENDING} at once"),
        ("a page of peers", f"{search.MAX_PAGE}, {search.DEFAULT_PAGE} if not said"),
        (
            "the session store",
            f"{session_store.MAX_KEYS} keys of {session_store.MAX_KEY_LENGTH} characters,"
            f" {session_store.MAX_VALUE_BYTES} bytes each, {session_store.MAX_TOTAL_BYTES:,} in all",
        ),
        ("speakers that are told", f"{speakers.MAX_SPEAKERS}, at most every {speakers.PAUSE:g} s"),
        ("connection quality", f"at most every {quality.PAUSE:g} s"),
        ("counts of peers", f"at most every {counts.PAUSE:g} s, and {counts.PAUSE_PER_CLIENT * 1000:g} ms per client"),
        ("peers named before joining", f"{wire.MAX_PREVIEW_PEERS}, and only if the template's `roomState` says so"),
    ]
