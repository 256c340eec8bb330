"""Opus packets: how long they last, and what silence and a missing packet look like (RFC 6716 §3). Pure."""

from __future__ import annotations

RATE = 48_000
SILENCE = b"\xf8\xff\xfe"
"""20 ms of digital silence: a CELT packet, mono, that decodes to nothing."""
SILENCE_SAMPLES = 960

_SILK = (480, 960, 1920, 2880)
_HYBRID = (480, 960)
_CELT = (120, 240, 480, 960)


def samples_of(packet: bytes) -> int:
    """How many samples (48,000 a second) the packet lasts; 0 for a damaged one."""
    if not packet:
        return 0
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:
        frame = _SILK[config & 3]
    elif config < 16:
        frame = _HYBRID[config & 1]
    else:
        frame = _CELT[config & 3]
    if code == 0:
        return frame
    if code < 3:
        return 2 * frame
    return frame * (packet[1] & 0x3F) if len(packet) > 1 else 0


def absent(packet: bytes) -> bytes:
    """A packet in place of one that is not there, after `packet`: one frame without data (RFC 6716 §3.2.1).

    A decoder conceals it, or plays silence, and goes on where it was. After `SILENCE` it needs about 100 ms until it is
    as loud as before, for loudness is told as a difference to what was before.
    """
    return bytes([packet[0] & 0xFC])


def head() -> bytes:
    """The header of a stream (RFC 7845 §5.1), as WebM has it: two channels, nothing to skip."""
    return b"OpusHead\x01\x02" + (0).to_bytes(2, "little") + RATE.to_bytes(4, "little") + b"\x00\x00\x00"
