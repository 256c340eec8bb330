"""What stands in a file for sound that is not there: lost packets, pauses of the sender, and silence."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from pathlib import Path

import pytest
from av import AudioCodecContext, AudioFrame, Packet

from callboard.recording.capture import opus
from callboard.recording.capture.media import Stretch, Unit, survey, units_of
from callboard.recording.truth.coding import SAMPLES, SoundCoder
from callboard.recording.truth.sound import synthesize
from callboard.testing.captures import Sent, write_mjr


def tone(count: int) -> list[Sent]:
    """So many packets of an even tone."""
    coder = SoundCoder()
    return [
        Sent(20.0 * n, n, SAMPLES * n, coder.encode(synthesize(1, SAMPLES * (n + 20), SAMPLES))) for n in range(count)
    ]


def units(folder: Path, sent: Sequence[Sent]) -> list[Unit]:
    found = survey(Stretch(write_mjr(folder / "a.mjr", list(sent))))
    assert found is not None
    return list(units_of(found))


def loudness(packets: Sequence[bytes]) -> list[float]:
    """Of each packet, as a browser plays it."""
    decoder = AudioCodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = 48_000, "mono"
    found = []
    for packet in packets:
        for frame in decoder.decode(Packet(packet)):
            assert isinstance(frame, AudioFrame)
            samples = array("h" if "s16" in frame.format.name else "f", bytes(frame.planes[0]))
            found.append(math.sqrt(sum(sample * sample for sample in samples) / len(samples)))
    return found


def test_a_lost_packet_is_told_as_one_and_what_follows_is_as_loud_as_before(tmp_path: Path) -> None:
    sent = tone(30)
    del sent[20]
    found = units(tmp_path, sent)
    assert [unit.length for unit in found] == [20_000_000] * 30
    assert [len(unit.data) for unit in found].count(1) == 1
    loud = loudness([unit.data for unit in found])
    assert loud[20:25] == pytest.approx([loud[19]] * 5, rel=0.1)
    silenced = loudness([opus.SILENCE if len(unit.data) == 1 else unit.data for unit in found])
    assert silenced[22] < 0.7 * silenced[19], "this is what it is for"


@pytest.mark.parametrize(("lost", "filler"), [(5, "absent"), (6, "silence")])
def test_many_lost_packets_are_silence(tmp_path: Path, lost: int, filler: str) -> None:
    sent = tone(40)
    del sent[20 : 20 + lost]
    found = units(tmp_path, sent)
    assert len(found) == 40
    wanted = opus.absent(sent[19].payload) if filler == "absent" else opus.SILENCE
    assert [unit.data for unit in found[20 : 20 + lost]] == [wanted] * lost


@pytest.mark.parametrize(("packets", "filler"), [(50, "absent"), (51, "silence")])
def test_a_pause_in_which_nothing_was_sent_is_the_decoders_and_a_long_one_is_silence(
    tmp_path: Path, packets: int, filler: str
) -> None:
    sent = tone(20)
    late = [one._replace(at=one.at + 20.0 * packets, timestamp=one.timestamp + SAMPLES * packets) for one in sent[10:]]
    found = units(tmp_path, [*sent[:10], *late])
    assert len(found) == 20 + packets
    wanted = opus.absent(sent[9].payload) if filler == "absent" else opus.SILENCE
    assert {unit.data for unit in found[10 : 10 + packets]} == {wanted}
    assert found[-1].at - found[0].at == (19 + packets) * 20_000_000
