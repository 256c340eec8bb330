"""Files made of captures: readable by FFmpeg, with the times of what arrived, whole or not there."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import msgspec
import pytest
from av import AudioCodecContext, AudioFrame, VideoCodecContext, VideoFrame

from callboard.recording.capture import render as program
from callboard.recording.capture.folder import STALE_SECONDS, new_part
from callboard.recording.capture.mjr import Unreadable
from callboard.recording.capture.render import Order, Part, Rendered, render
from callboard.testing.captures import WRITTEN_AT, Sent, write_mjr


def opus_packets(count: int) -> list[bytes]:
    codec = AudioCodecContext.create("libopus", "w")
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate, codec.layout, codec.format = 48_000, "stereo", "s16"
    found: list[bytes] = []
    for n in range(count + 2):
        frame = AudioFrame(format="s16", layout="stereo", samples=960)
        frame.planes[0].update(b"\x00\x05" * 1920)
        frame.sample_rate, frame.pts, frame.time_base = 48_000, 960 * n, Fraction(1, 48_000)
        found += [bytes(packet) for packet in codec.encode(frame)]
    return found[:count]


def pictures(codec_name: str, sizes: list[tuple[int, int]]) -> list[bytes]:
    found: list[bytes] = []
    codec: VideoCodecContext | None = None
    for n, size in enumerate(sizes):
        if codec is None or (codec.width, codec.height) != size:
            codec = video_codec(codec_name, *size)
        frame = VideoFrame(*size, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([40 + n]) * plane.buffer_size)
        frame.pts = n
        found += [bytes(packet) for packet in codec.encode(frame)]
    return found


def video_codec(name: str, width: int, height: int) -> VideoCodecContext:
    codec = VideoCodecContext.create(name, "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height = width, height
    codec.pix_fmt, codec.time_base = "yuv420p", Fraction(1, 30)
    fast = {"lag-in-frames": "0", "deadline": "realtime"}
    codec.options = fast if name == "libvpx" else {"tune": "zerolatency"}
    return codec


def vp8_packets(sizes: list[tuple[int, int]], most: int = 60) -> list[Sent]:
    sent: list[Sent] = []
    for n, picture in enumerate(pictures("libvpx", sizes)):
        chunks = [picture[start : start + most] for start in range(0, len(picture), most)]
        for index, chunk in enumerate(chunks):
            descriptor = b"\x10" if index == 0 else b"\x00"
            sent.append(Sent(40.0 * n, len(sent), 3600 * n, descriptor + chunk, index == len(chunks) - 1))
    return sent


def h264_packets(count: int) -> list[Sent]:
    sent: list[Sent] = []
    for n, picture in enumerate(pictures("libx264", [(320, 180)] * count)):
        units = [unit.lstrip(b"\0") for unit in picture.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if unit]
        for index, unit in enumerate(units):
            sent.append(Sent(40.0 * n, len(sent), 3600 * n, unit, index == len(units) - 1))
    return sent


def speech(count: int, first: float = 0.0) -> list[Sent]:
    return [Sent(first + 20.0 * n, n, 960 * n, packet) for n, packet in enumerate(opus_packets(count))]


def made(target: Path, *tracks: list[Path]) -> Rendered:
    order = Order(str(target), tuple(tuple(Part(str(path)) for path in paths) for paths in tracks))
    rendered = render(order)
    assert rendered is not None
    assert Path(rendered.file).stat().st_size == rendered.size
    assert not list(target.parent.glob("*.part"))
    return rendered


def decoded(path: str, kind: str) -> list[tuple[float, int]]:
    """When each frame is shown, and how wide it is (or how many samples it has)."""
    found: list[tuple[float, int]] = []
    with av.open(path) as container:
        assert container.duration is not None
        for frame in container.decode(**{kind: 0}):
            assert isinstance(frame, AudioFrame | VideoFrame)
            assert frame.time is not None
            found.append((frame.time, frame.width if isinstance(frame, VideoFrame) else frame.samples))
    return found


def test_sound_keeps_its_times_and_what_is_missing_is_silence(tmp_path: Path) -> None:
    sent = speech(50)
    del sent[20:30]
    rendered = made(tmp_path / "out", [write_mjr(tmp_path / "a.mjr", sent)])
    (track,) = rendered.tracks
    assert track is not None
    assert (track.codec, track.units, track.lost) == ("opus", 50, 10)
    assert track.first_at == WRITTEN_AT * 1000
    assert track.last_at - track.first_at == 1_000_000_000
    frames = decoded(rendered.file, "audio")
    assert sum(samples for _, samples in frames) == pytest.approx(48_000, abs=960)


def test_pictures_keep_their_times_and_may_change_their_size(tmp_path: Path) -> None:
    sizes = [(320, 180)] * 10 + [(640, 360)] * 10
    rendered = made(tmp_path / "out", [write_mjr(tmp_path / "v.mjr", vp8_packets(sizes), "vp8")])
    (track,) = rendered.tracks
    assert track is not None
    assert (track.width, track.height, track.units) == (640, 360, 20)
    frames = decoded(rendered.file, "video")
    assert [width for _, width in frames] == [320] * 10 + [640] * 10
    assert [time for time, _ in frames] == pytest.approx([0.04 * n for n in range(20)], abs=0.0015)


def test_a_picture_of_which_a_packet_is_missing_is_left_out(tmp_path: Path) -> None:
    sent = vp8_packets([(320, 180)] * 10, most=40)
    third = next(index for index, one in enumerate(sent) if one.timestamp == 3 * 3600)
    del sent[third]
    (track,) = made(tmp_path / "out", [write_mjr(tmp_path / "v.mjr", sent, "vp8")]).tracks
    assert track is not None
    assert (track.units, track.lost) == (9, 1)


def test_nothing_is_shown_before_the_first_key_picture(tmp_path: Path) -> None:
    sent = vp8_packets([(320, 180)] * 6 + [(640, 360)] * 6)[1:]
    sent = [one for one in sent if one.timestamp > 0]
    rendered = made(tmp_path / "out", [write_mjr(tmp_path / "v.mjr", sent, "vp8")])
    assert [width for _, width in decoded(rendered.file, "video")] == [640] * 6


def test_sound_and_picture_lie_as_they_were_sent(tmp_path: Path) -> None:
    picture = [one._replace(at=one.at + 300) for one in vp8_packets([(320, 180)] * 20)]
    picture[0] = picture[0]._replace(at=300)
    sound_file, picture_file = write_mjr(tmp_path / "a.mjr", speech(60)), write_mjr(tmp_path / "v.mjr", picture, "vp8")
    rendered = made(tmp_path / "out", [sound_file], [picture_file])
    assert decoded(rendered.file, "audio")[0][0] == pytest.approx(0.0, abs=0.002)
    assert decoded(rendered.file, "video")[0][0] == pytest.approx(0.3, abs=0.002)


def test_h264_goes_into_matroska_without_being_encoded_again(tmp_path: Path) -> None:
    rendered = made(tmp_path / "out", [write_mjr(tmp_path / "v.mjr", h264_packets(12), "h264")])
    (track,) = rendered.tracks
    assert track is not None
    assert (track.width, track.height) == (320, 180)
    assert rendered.file.endswith(".mkv")
    assert len(decoded(rendered.file, "video")) == 12


def test_stretches_of_a_track_become_one_file_with_silence_between_them(tmp_path: Path) -> None:
    first = write_mjr(tmp_path / "1.mjr", speech(50))
    second = write_mjr(tmp_path / "2.mjr", [one._replace(at=one.at + 2000) for one in speech(50)])
    rendered = made(tmp_path / "out", [first, second])
    assert rendered.last_at - rendered.first_at == pytest.approx(3e9, abs=2e7)
    frames = decoded(rendered.file, "audio")
    assert sum(samples for _, samples in frames) == pytest.approx(3 * 48_000, abs=1920)


def test_of_a_file_that_holds_several_tracks_each_gets_its_part(tmp_path: Path) -> None:
    path = write_mjr(tmp_path / "a.mjr", speech(100))
    middle = WRITTEN_AT * 1000 + 1_000_000_000
    for part, count in ((Part(str(path), 0, middle), 50), (Part(str(path), middle, 0), 50)):
        rendered = render(Order(str(tmp_path / "out"), ((part,),)))
        assert rendered is not None
        assert rendered.tracks[0] is not None
        assert rendered.tracks[0].units == count


def test_of_nothing_no_file_is_made(tmp_path: Path) -> None:
    empty = tmp_path / "e.mjr"
    empty.write_bytes(b"MJR00002")
    assert render(Order(str(tmp_path / "out"), ((Part(str(empty)),),))) is None
    assert not list(tmp_path.glob("out*"))


def run(order: Order) -> subprocess.CompletedProcess[bytes]:
    argument = msgspec.json.encode(order).decode()
    return subprocess.run([sys.executable, "-m", program.__name__, argument], capture_output=True, check=False)


def test_the_program_says_in_json_what_it_made_and_by_its_code_what_went_wrong(tmp_path: Path) -> None:
    good = run(Order(str(tmp_path / "out"), ((Part(str(write_mjr(tmp_path / "a.mjr", speech(50)))),),)))
    rendered = msgspec.json.decode(good.stdout, type=Rendered)
    assert (good.returncode, Path(rendered.file).name) == (0, "out.webm")
    bad = tmp_path / "bad.mjr"
    bad.write_bytes(b"nonsense" * 10)
    failed = run(Order(str(tmp_path / "no"), ((Part(str(bad)),),)))
    assert failed.returncode == program.UNREADABLE
    assert b"not a recording" in failed.stderr
    nowhere = run(Order("/dev/full/x", ((Part(str(write_mjr(tmp_path / "a.mjr", speech(5)))),),)))
    assert nowhere.returncode == program.NO_SPACE
    with pytest.raises(Unreadable):
        render(Order(str(tmp_path / "no"), ((Part(str(bad)),),)))


def test_a_file_that_grows_has_a_name_of_its_own_and_what_the_dead_have_left_is_deleted(tmp_path: Path) -> None:
    file, folder = tmp_path / "track-[1].webm", tmp_path / "picture.mp4"
    dead, alive, other = new_part(file), new_part(file), tmp_path / "track-2.webm.0.part"
    in_dead, in_alive = new_part(folder), new_part(folder)
    for part in (in_dead, in_alive):
        part.mkdir()
    for part in (dead, alive, other, in_dead / "made", in_alive / "made"):
        part.write_bytes(b"half of it")
    long_ago = time.time() - STALE_SECONDS - 1
    for part in (dead, other, in_dead / "made", in_dead, in_alive):
        os.utime(part, (long_ago, long_ago))
    assert len({new_part(file), dead, alive}) == 3
    new_part(folder)
    assert [part.exists() for part in (dead, alive, other)] == [False, True, True]
    assert [part.exists() for part in (in_dead, in_alive)] == [False, True]


def test_what_was_taken_away_while_it_was_made_is_no_input_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one makes the same file, and was faster: that says nothing about the captures."""
    path = write_mjr(tmp_path / "a.mjr", speech(10))

    def gone(self: Path, target: object) -> Path:
        raise FileNotFoundError(2, "No such file or directory", str(self))

    monkeypatch.setattr(Path, "replace", gone)
    order = Order(str(tmp_path / "made"), ((Part(str(path)),),))
    assert program.main(msgspec.json.encode(order).decode()) == program.NO_SPACE
    monkeypatch.undo()
    missing = Order(str(tmp_path / "made"), ((Part(str(tmp_path / "b.mjr")),),))
    assert program.main(msgspec.json.encode(missing).decode()) == program.UNREADABLE
