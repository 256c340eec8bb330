"""Sessions whose tracks carry truth marks, as files and their time line: what compositions are tested with.

Owns: `Clips`.

Always holds: the source time of all marks is the session's time: second 3.0 of a clip that starts at 2.0 says 5.0.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from callboard.recording.timeline import Kind, Piece, PlacedTrack, Presence, Timeline
from callboard.recording.truth.report import Published
from callboard.recording.truth.sound import RATE, synthesize
from callboard.recording.truth.spans import Span, lacking, union
from callboard.recording.truth.specimen import stamps, write_wav, write_y4m
from callboard.recording.truth.stamp import Stamp

VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "300k", "-g", "60")
OPUS = ("-c:a", "libopus", "-b:a", "24k", "-application", "voip")
LANDSCAPE = (320, 180)


class Clips:
    """Makes media files in `folder`, and tracks of them."""

    def __init__(self, folder: Path, rate: int = 15) -> None:
        self._folder = folder
        self._rate = rate
        self._count = 0

    def video(
        self,
        who: int,
        *spans: Span,
        sizes: Sequence[tuple[int, int]] = (LANDSCAPE,),
        mutes: tuple[Span, ...] = (),
        source: str = "regular",
        peer: int | None = None,
    ) -> PlacedTrack:
        """Pictures marked `who`, one piece for each span; `sizes` follow each other within each piece."""
        pieces = []
        for start, end in spans:
            # Frames are counted on over all pieces of a track.
            before = round(start * self._rate)
            made = stamps(who, self._rate, end - start, start)
            all_of_them: list[Stamp | None] = [replace(one, counter=before + one.counter) for one in made]
            for n in range(len(all_of_them)):
                if any(begin <= start + n / self._rate < stop for begin, stop in mutes):
                    all_of_them[n] = None
            step = -(-len(all_of_them) // len(sizes))
            parts = [
                self._picture(all_of_them[index * step : (index + 1) * step], size) for index, size in enumerate(sizes)
            ]
            pieces.append(Piece(file=str(self._joined(parts)), codec="vp8", start=start, duration=end - start))
        return self._track(who if peer is None else peer, "video", source, pieces, mutes)

    def audio(self, who: int, *spans: Span, peer: int | None = None) -> PlacedTrack:
        """Sound marked `who`, one piece for each span."""
        pieces = []
        for start, end in spans:
            wav, path = self._new("wav"), self._new("webm")
            write_wav(wav, [synthesize(who, round(start * RATE), round((end - start) * RATE)).tobytes()])
            ffmpeg("-i", wav, *OPUS, path)
            wav.unlink()
            pieces.append(Piece(file=str(path), codec="opus", start=start, duration=end - start))
        return self._track(who if peer is None else peer, "audio", "regular", pieces, ())

    def _picture(self, shown: Sequence[Stamp | None], size: tuple[int, int]) -> Path:
        raw, path = self._new("y4m"), self._new("webm")
        write_y4m(raw, shown, *size, self._rate)
        ffmpeg("-i", raw, *VP8, path)
        raw.unlink()
        return path

    def _joined(self, parts: Sequence[Path]) -> Path:
        if len(parts) == 1:
            return parts[0]
        names, path = self._new("txt"), self._new("webm")
        names.write_text("".join(f"file '{part}'\n" for part in parts), encoding="utf-8")
        ffmpeg("-f", "concat", "-safe", "0", "-i", names, "-c", "copy", path)
        return path

    def _track(
        self, peer: int, kind: Kind, source: str, pieces: Sequence[Piece], mutes: tuple[Span, ...]
    ) -> PlacedTrack:
        return PlacedTrack(
            peer_id=f"peer{peer}",
            peer_name=f"Person {peer}",
            user_id=f"user{peer}",
            stream_id=f"stream{peer}{source}",
            track_id=f"{kind}{peer}{source}",
            kind=kind,
            source=source,
            recording_id="",
            pieces=tuple(pieces),
            mutes=mutes,
        )

    def _new(self, ending: str) -> Path:
        self._count += 1
        return self._folder / f"{self._count}.{ending}"


def session(tracks: Sequence[PlacedTrack], stays: Sequence[tuple[int, str, float, float]], seconds: float) -> Timeline:
    """The time line of these tracks; `stays` are (peer, name, from, to)."""
    presences = tuple(
        Presence(peer_id=f"peer{peer}", peer_name=name, user_id="", role="host", start=start, end=end)
        for peer, name, start, end in stays
    )
    return Timeline(
        session_id="s" * 24,
        room_id="r" * 24,
        started_at=1_700_000_000_000_000_000,
        duration=seconds,
        tracks=tuple(tracks),
        presences=presences,
    )


def published(who: int, *tracks: PlacedTrack) -> Published:
    """What these tracks, all marked `who`, show and let hear."""
    spans: dict[Kind, list[Span]] = {"video": [], "audio": []}
    for track in tracks:
        there = [(piece.start, piece.start + piece.duration) for piece in track.pieces]
        spans[track.kind] += lacking(there, track.mutes)
    return Published(who, picture=tuple(union(spans["video"])), sound=tuple(union(spans["audio"])))


def ffmpeg(*arguments: str | Path) -> None:
    """Run FFmpeg. Raises `CalledProcessError`."""
    command = ["ffmpeg", "-nostdin", "-y", "-v", "error", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=120)  # noqa: S603 - the command is ours
