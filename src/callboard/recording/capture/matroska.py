"""Writing WebM and Matroska files (RFC 8794, RFC 9559): what was sent, with the times that we found, nothing encoded.

Owns: `Track`, `Writer`.

Always holds: memory is one cluster (some seconds); the file is complete and can be sought in once `close` returned, and
can be played up to its last whole cluster if the process dies before. Timestamps are milliseconds, never negative.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal

CLUSTER_MILLISECONDS = 5_000
_MOST_MILLISECONDS = 30_000  # a block's time within its cluster has 16 bits, with a sign
_UNKNOWN = b"\x01" + b"\xff" * 7

_SEEK_ROOM = 40


@dataclass(frozen=True, slots=True)
class Track:
    """`private` is the codec's own header. `width` and `height` are pixels, for video."""

    kind: Literal["audio", "video"]
    codec: Literal["V_VP8", "V_MPEG4/ISO/AVC", "A_OPUS"]
    private: bytes = b""
    width: int = 0
    height: int = 0


class Writer:
    """Use it in `with`. Tracks are numbered from 0 in `write`. `size` is the file's, in bytes, after `close`."""

    def __init__(self, path: Path, tracks: list[Track]) -> None:
        self.size = 0
        self._tracks = tracks
        self._blocks: list[bytes] = []
        self._cluster_at = 0
        self._cues: list[tuple[int, int, int]] = []
        self._end = 0
        self._file: BinaryIO = path.open("wb")
        webm = all(track.codec != "V_MPEG4/ISO/AVC" for track in tracks)
        self._file.write(_ebml_header(b"webm" if webm else b"matroska"))
        self._file.write(b"\x18\x53\x80\x67")
        self._segment_size_at = self._file.tell()
        self._file.write(_UNKNOWN)
        self._segment_at = self._file.tell()
        self._file.write(_void(_SEEK_ROOM))
        self._info_at = self._file.tell()
        self._file.write(_info(0.0))
        self._tracks_at = self._file.tell()
        self._file.write(_element(b"\x16\x54\xae\x6b", *(_track(n + 1, track) for n, track in enumerate(tracks))))

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._file.close()

    def write(self, track: int, milliseconds: int, data: bytes, *, key: bool, length: int = 0) -> None:
        """One picture or packet of sound, `length` milliseconds long. Times of all tracks together do not decrease."""
        video = self._tracks[track].kind == "video"
        since = milliseconds - self._cluster_at
        if self._blocks and (since >= CLUSTER_MILLISECONDS or (video and key) or since > _MOST_MILLISECONDS):
            self._flush()
        if not self._blocks:
            self._cluster_at = milliseconds
            if key:
                self._cues.append((milliseconds, track + 1, self._file.tell() - self._segment_at))
        head = bytes([0x81 + track]) + struct.pack(">hB", milliseconds - self._cluster_at, 0x80 if key else 0)
        self._blocks.append(_element(b"\xa3", head, data))
        self._end = max(self._end, milliseconds + length)

    def close(self) -> None:
        """Write what is left and what was not known before."""
        self._flush()
        cues_at = self._file.tell()
        if self._cues:
            self._file.write(_element(b"\x1c\x53\xbb\x6b", *(_cue(*cue) for cue in self._cues)))
        self.size = self._file.tell()
        self._file.seek(self._segment_size_at)
        self._file.write(b"\x01" + (self.size - self._segment_at).to_bytes(7, "big"))
        if self._cues:
            self._file.write(_seek_head(cues_at - self._segment_at))
        self._file.seek(self._info_at)
        self._file.write(_info(float(self._end)))
        self._file.close()

    def _flush(self) -> None:
        if self._blocks:
            self._file.write(_element(b"\x1f\x43\xb6\x75", _number(b"\xe7", self._cluster_at), *self._blocks))
            self._blocks = []


def _element(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return name + _length(len(body)) + body


def _length(size: int) -> bytes:
    for width in range(1, 9):
        if size < (1 << 7 * width) - 1:
            return (size | 1 << 7 * width).to_bytes(width, "big")
    raise ValueError(f"{size} bytes are too many for an element")


def _number(name: bytes, value: int) -> bytes:
    return _element(name, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def _text(name: bytes, value: str) -> bytes:
    return _element(name, value.encode())


def _float(name: bytes, value: float) -> bytes:
    return _element(name, struct.pack(">d", value))


def _void(size: int) -> bytes:
    """`size` bytes that mean nothing."""
    return b"\xec" + bytes([0x80 | size - 2]) + bytes(size - 2)


def _ebml_header(kind: bytes) -> bytes:
    return _element(
        b"\x1a\x45\xdf\xa3",
        _number(b"\x42\x86", 1),
        _number(b"\x42\xf7", 1),
        _number(b"\x42\xf2", 4),
        _number(b"\x42\xf3", 8),
        _element(b"\x42\x82", kind),
        _number(b"\x42\x87", 4),
        _number(b"\x42\x85", 2),
    )


def _info(milliseconds: float) -> bytes:
    return _element(
        b"\x15\x49\xa9\x66",
        _number(b"\x2a\xd7\xb1", 1_000_000),
        _text(b"\x4d\x80", "callboard"),
        _text(b"\x57\x41", "callboard"),
        _float(b"\x44\x89", milliseconds),
    )


def _track(number: int, track: Track) -> bytes:
    parts = [
        _number(b"\xd7", number),
        _number(b"\x73\xc5", number),
        _number(b"\x83", 1 if track.kind == "video" else 2),
        _number(b"\x9c", 0),
        _text(b"\x86", track.codec),
    ]
    if track.private:
        parts.append(_element(b"\x63\xa2", track.private))
    if track.kind == "video":
        parts.append(_element(b"\xe0", _number(b"\xb0", track.width), _number(b"\xba", track.height)))
    else:
        parts.append(_number(b"\x56\xbb", 80_000_000))  # RFC 7845 §4.6: 80 ms before where somebody seeks to
        parts.append(_element(b"\xe1", _float(b"\xb5", 48_000.0), _number(b"\x9f", 2)))
    return _element(b"\xae", *parts)


def _cue(milliseconds: int, track: int, position: int) -> bytes:
    positions = _element(b"\xb7", _number(b"\xf7", track), _number(b"\xf1", position))
    return _element(b"\xbb", _number(b"\xb3", milliseconds), positions)


def _seek_head(cues_at: int) -> bytes:
    seek = _element(b"\x4d\xbb", _element(b"\x53\xab", b"\x1c\x53\xbb\x6b"), _number(b"\x53\xac", cues_at))
    head = _element(b"\x11\x4d\x9b\x74", seek)
    return head + _void(_SEEK_ROOM - len(head))
