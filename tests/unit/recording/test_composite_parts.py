"""What failures are called, and the chat of a session: kept, written, forgotten."""

from __future__ import annotations

import csv
import errno
from pathlib import Path

import pytest

from callboard.clock import RandomIds, SystemClock
from callboard.database import Database, QueryFailed
from callboard.errors import NotFound
from callboard.events import RecordingErrorType
from callboard.jobs import JobError, ProcessFailed
from callboard.ledger import Ledger
from callboard.recording.chat import HEADER, ChatKeeper, Chats
from callboard.recording.composite.faults import ELSEWHERE, error_type, fault_of
from callboard.recording.composite.look import LookError
from callboard.recording.composite.plan import NothingCaptured
from callboard.recording.faults import DISK_ERROR


def ffmpeg(code: int, complaints: str, *, starved: bool = False) -> ProcessFailed:
    return ProcessFailed("ffmpeg", "ended", code, complaints, starved=starved)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NothingCaptured(), "INPUT_ERROR"),
        (ffmpeg(1, "file:/x.webm: Invalid data found when processing input"), "INPUT_ERROR"),
        (ffmpeg(1, "file:/x.webm: No such file or directory"), "INPUT_ERROR"),
        (LookError("no font"), "CONFIG_ERROR"),
        (ffmpeg(127, "ffmpeg: No such file or directory"), "CONFIG_ERROR"),
        (ffmpeg(127, "libx265.so.199: failed to map segment from shared object"), "MEMORY_ERROR"),
        (ffmpeg(1, "x264 [error]: malloc of size 434176 failed"), "MEMORY_ERROR"),
        (ffmpeg(1, "Error: Cannot allocate memory"), "MEMORY_ERROR"),
        (MemoryError(), "MEMORY_ERROR"),
        (OSError(errno.ENOMEM, "no"), "MEMORY_ERROR"),
        (ffmpeg(-9, ""), "PROCESSING_CMD_ERROR"),
        (ffmpeg(-9, "", starved=True), "MEMORY_ERROR"),
        (ffmpeg(1, "Conversion failed!"), "PROCESSING_CMD_ERROR"),
        (OSError(errno.ENOSPC, "full"), DISK_ERROR),
        (ffmpeg(1, "av_interleaved_write_frame(): No space left on device"), DISK_ERROR),
        (QueryFailed("no such table"), "API_ERROR"),
        (TimeoutError(), "API_ERROR"),
        (NotFound("room not found"), "API_ERROR"),
        (JobError("CLOUD_ACCESS_ERROR", "refused"), "CLOUD_ACCESS_ERROR"),
    ],
)
def test_a_failure_is_called_by_its_cause(error: Exception, code: str) -> None:
    assert fault_of(error).code == code


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("MEMORY_ERROR", RecordingErrorType.MEMORY_ERROR),
        (DISK_ERROR, RecordingErrorType.PROCESSING_CMD_ERROR),
        (ELSEWHERE, RecordingErrorType.INPUT_ERROR),
        ("", RecordingErrorType.API_ERROR),
    ],
)
def test_every_code_is_told_as_one_of_the_seeds_types(code: str, kind: RecordingErrorType) -> None:
    assert error_type(code) is kind


async def test_the_chat_is_written_in_order_as_csv_and_forgotten(database: Database, tmp_path: Path) -> None:
    ids, clock = RandomIds(1), SystemClock()
    ledger = Ledger(database, account_id="a" * 24, app_id="b" * 24)
    keeper = ChatKeeper(ledger, ids, lambda session_id: session_id != "not recorded")
    second = 1_700_000_000_000_000_000
    for number in range(1_100):  # more than two pages
        await keeper.keep("s", ("p1", "Ann", "u1"), (), "chat", f"message {number}", second + number)
    await keeper.keep("s", ("p1", 'A "b", c', "u1"), ("host", "guest"), "chat", "two\nlines", second + 5_000_000_000)
    await keeper.keep("s", ("", "", ""), (), "signal", "of an application", second)
    await keeper.keep("not recorded", ("p1", "Ann", "u1"), (), "chat", "hello", second)
    await keeper.keep("other", ("p1", "Ann", "u1"), (), "chat", "hello", second)
    chats = Chats(database, ledger, clock, ids)
    file = await chats.write("s", str(tmp_path / "new" / "chat.csv"))
    with Path(file).open(encoding="utf-8", newline="") as text:
        head, *said = csv.reader(text)
    assert tuple(head) == HEADER
    assert [line[6] for line in said[:-1]] == [f"message {number}" for number in range(1_100)]
    assert said[-1] == ["p1", 'A "b", c', "u1", '["host","guest"]', "2023-11-14T22:13:25Z", "chat", "two\nlines"]
    await chats.forget("s")
    assert await database.fetch("chat_page", session_id="s", after=0, id="", limit=10) == []
    assert len(await database.fetch("chat_page", session_id="other", after=0, id="", limit=10)) == 1


async def test_a_session_in_which_nothing_was_said_has_a_chat_with_a_header(database: Database, tmp_path: Path) -> None:
    ledger = Ledger(database, account_id="a" * 24, app_id="b" * 24)
    file = await Chats(database, ledger, SystemClock(), RandomIds(1)).write("s", str(tmp_path / "chat.csv"))
    assert Path(file).read_text(encoding="utf-8") == ",".join(HEADER) + "\n"
