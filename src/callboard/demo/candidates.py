"""Candidates that the server trickles (RFC 8840), for aiortc.

Owns: `candidate_of`.
"""

from __future__ import annotations

from typing import Any

from aiortc import RTCIceCandidate
from aiortc.sdp import candidate_from_sdp


def candidate_of(trickled: dict[str, Any]) -> RTCIceCandidate | None:
    """The candidate of a `trickle` notification; None for an empty one, which ends them.

    Raises `ValueError` when it is none.
    """
    text = trickled.get("candidate") or ""
    if not text:
        return None
    try:
        candidate = candidate_from_sdp(text.removeprefix("candidate:"))
    except (AssertionError, ValueError) as error:  # what aiortc 1.16 raises for a text that is no candidate
        raise ValueError(f"no candidate: {text[:100]!r}") from error
    candidate.sdpMid = trickled.get("sdpMid")
    candidate.sdpMLineIndex = trickled.get("sdpMLineIndex")
    return candidate
