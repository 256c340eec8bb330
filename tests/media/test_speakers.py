"""Who is heard, as Janus measures it: a tone, silence, muting and leaving, and what the others are told."""

from __future__ import annotations

from pathlib import Path

import pytest
from av import AudioFrame

from callboard.demo.media_tracks import Tone
from callboard.demo.peer import Peer
from callboard.testing.play import play

pytestmark = pytest.mark.media


class Silence(Tone):
    """A microphone that is on, in a room where nobody speaks."""

    async def recv(self) -> AudioFrame:
        frame = await super().recv()
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        return frame


def heard_by(peer: Peer) -> list[str] | None:
    """Whom the latest list names, the loudest first."""
    told = peer.seen("active-speakers")
    return [entry["peer_id"] for entry in told[-1]["speaker-list"]] if told else None


async def test_who_is_heard_is_listed_until_silent_muted_or_gone(tmp_path: Path) -> None:
    async with play(tmp_path) as stage:
        ann, ben, cleo, vera = (
            stage.peer("Ann", "host"),
            stage.peer("Ben"),
            stage.peer("Cleo"),
            stage.peer("Vera", "viewer"),
        )
        for peer in (ann, ben, cleo, vera):
            await peer.join()
        tone = await ben.publish(Tone)
        await ann.wait_for(lambda: heard_by(ann) == [ben.peer_id], 60, "Ben heard")
        entry = ann.seen("active-speakers")[-1]["speaker-list"][0]
        assert entry["track_id"] == tone
        assert 60 <= entry["level"] <= 100, "440 Hz at a quarter of the full scale is some -15 dBov"
        await ben.wait_for(lambda: heard_by(ben) == [ben.peer_id], 60, "Ben told that he is heard")
        await vera.wait_for(lambda: heard_by(vera) == [ben.peer_id], 60, "a viewer told too")

        await cleo.publish(Tone)
        await ann.wait_for(lambda: set(heard_by(ann) or ()) == {ben.peer_id, cleo.peer_id}, 60, "both heard")

        await ben.mute("audio")
        await ann.wait_for(lambda: heard_by(ann) == [cleo.peer_id], 60, "Ben, muted, not listed")
        await ben.unmute("audio")
        await ann.wait_for(lambda: set(heard_by(ann) or ()) == {ben.peer_id, cleo.peer_id}, 60, "Ben heard again")
        await cleo.leave()
        await ann.wait_for(lambda: heard_by(ann) == [ben.peer_id], 60, "Cleo gone from the list")
        await ben.unpublish(tone)
        await ann.wait_for(lambda: heard_by(ann) == [], 60, "nobody heard")


async def test_a_microphone_in_a_silent_room_is_never_listed(tmp_path: Path) -> None:
    async with play(tmp_path) as stage:
        ann, ben, cleo = stage.peer("Ann", "host"), stage.peer("Ben"), stage.peer("Cleo")
        for peer in (ann, ben, cleo):
            await peer.join()
        track = await ben.publish(Silence)
        await ann.wait_for(lambda: ann.frames_decoded(track) > 50, 60, "a second of silence received")
        await cleo.publish(Tone)
        await ann.wait_for(lambda: heard_by(ann) == [cleo.peer_id], 60, "Cleo heard")
        listed = {entry["peer_id"] for told in ann.seen("active-speakers") for entry in told["speaker-list"]}
        assert listed == {cleo.peer_id}
