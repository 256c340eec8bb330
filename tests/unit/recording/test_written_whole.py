"""What FFmpeg says of a file whose end did not fit, though it ends with 0."""

from __future__ import annotations

import pytest

from callboard.jobs import ProcessFailed
from callboard.jobs.process import Finished
from callboard.recording.faults import DISK_ERROR, PROCESSING_ERROR, code_of, written_whole


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("[mp4 @ 0x5] Error writing trailer of made: No space left on device", DISK_ERROR),
        ("Error writing trailer of made: Input/output error", PROCESSING_ERROR),
    ],
)
def test_a_file_whose_end_could_not_be_written_is_a_failure_and_a_full_disk_is_called_so(said: str, code: str) -> None:
    with pytest.raises(ProcessFailed, match="to the end") as failed:
        written_whole(Finished(b"", said))
    assert code_of(failed.value) == code


def test_what_ffmpeg_says_of_damaged_input_is_no_failure_of_writing() -> None:
    written_whole(Finished(b"", "[vp8 @ 0x5] Invalid data found when processing input"))
