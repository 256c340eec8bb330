"""A local folder when things go wrong: full disks, killed processes, links that lead out of it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import aiohttp
import pytest
import yarl

from callboard.clock import NANOSECONDS, SystemClock
from callboard.storage import (
    Folder,
    InvalidKeyError,
    NoSuchBucketError,
    NoSuchObjectError,
    links,
)

MIB = 1 << 20
SECRETS = [b"0123456789abcdef"]

Make = Callable[[int], Path]


async def listed(folder: Folder) -> list[str]:
    async with aclosing(folder.list("")) as entries:
        return sorted([entry.key async for entry in entries])


def open_folder(root: Path) -> Folder:
    return Folder(root, "recordings", "http://127.0.0.1/files", SECRETS, SystemClock())


async def run(*command: str) -> tuple[int | None, str]:
    """Exit code and output of a child that dies with us."""
    process = await asyncio.create_subprocess_exec(
        *("setpriv", "--pdeathsig", "KILL", "--", *command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    return process.returncode, output.decode()


PUT = """
import asyncio, sys
from pathlib import Path
from callboard.clock import SystemClock
from callboard.storage import Folder, StorageError

async def main(root, size):
    root = Path(root)
    source = root.with_suffix(".source")
    source.write_bytes(bytes(int(size)))
    folder = Folder(root, "recordings", "http://127.0.0.1", [b"0123456789abcdef"], SystemClock())
    try:
        await folder.put_file(source, "a/b.mp4")
    except StorageError as error:
        print(type(error).__name__, error.retryable, error.detail)
    else:
        print("stored")
    print(sorted(str(path.relative_to(root)) for path in root.rglob("*")))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("options", "size", "expected"),
    [
        ("size=1m", 2 * MIB, "OutOfSpaceError True [0-9]+ bytes free, 2097152 needed"),
        ("size=1m", MIB // 2, "stored"),
        ("size=1m,nr_inodes=3", 10, "OutOfSpaceError True No space left on device"),
    ],
)
async def test_a_full_disk_is_out_of_space(tmp_path: Path, options: str, size: int, expected: str) -> None:
    script = 'mount -t tmpfs -o "$2" none "$3" && exec "$1" -c "$5" "$3" "$4"'
    root = tmp_path / "root"
    root.mkdir()
    arguments = [sys.executable, options, str(root), str(size), PUT]
    code, output = await run("unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", *arguments)
    if code != 0 and "Traceback" not in output:
        pytest.skip(f"no file system may be mounted here: {output.strip()}")
    assert re.fullmatch(expected, output.splitlines()[0])
    assert ("a/b.mp4" in output) is (expected == "stored")


async def test_a_root_that_is_not_there_is_no_such_bucket(tmp_path: Path, make_file: Make) -> None:
    folder = open_folder(tmp_path / "not-mounted")
    with pytest.raises(NoSuchBucketError) as raised:
        await folder.put_file(make_file(1), "a")
    assert not raised.value.retryable
    with pytest.raises(NoSuchBucketError):
        await folder.head("a")
    assert not (tmp_path / "not-mounted").exists()


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from callboard.clock import SystemClock
from callboard.storage import Folder

async def main(root, source):
    folder = Folder(Path(root), "recordings", "http://127.0.0.1", [b"0123456789abcdef"], SystemClock())
    def die(done, total):
        if done > total / 2:
            os.kill(os.getpid(), signal.SIGKILL)
    await folder.put_file(Path(source), "a/b.mp4", progress=die)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_killed_writer_leaves_nothing_at_the_key_and_its_leftover_is_removed(
    tmp_path: Path, make_file: Make
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    code, _ = await run(sys.executable, "-c", KILLED, str(root), str(make_file(4 * MIB)))
    assert code == -signal.SIGKILL
    folder = open_folder(root)
    with pytest.raises(NoSuchObjectError):
        await folder.head("a/b.mp4")
    assert len(list((root / ".incoming").iterdir())) == 1
    assert await listed(folder) == []
    assert await folder.remove_leftovers() == 1
    assert await folder.remove_leftovers() == 0
    assert list((root / ".incoming").iterdir()) == []


async def test_what_another_is_writing_is_not_a_leftover(folder: Folder, make_file: Make) -> None:
    removed: list[asyncio.Task[int]] = []
    stored = await folder.put_file(
        make_file(3 * MIB), "a", progress=lambda *_: removed.append(asyncio.create_task(folder.remove_leftovers()))
    )
    assert await asyncio.gather(*removed) == [0, 0, 0]
    await folder.verify("a", stored.size, stored.checksum)


async def test_cancelling_leaves_neither_the_object_nor_a_leftover(folder: Folder, make_file: Make) -> None:
    half = asyncio.Event()
    writing = asyncio.create_task(folder.put_file(make_file(50 * MIB), "a", progress=lambda *_: half.set()))
    async with asyncio.timeout(60):
        await half.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
    assert await listed(folder) == []
    assert await folder.remove_leftovers() == 0


async def test_no_key_leads_out_of_the_folder(folder: Folder, tmp_path: Path, make_file: Make) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    root = tmp_path / "root"
    (root / "way-out").symlink_to(outside)
    (root / "link").symlink_to(outside / "secret")
    (root / "loop").symlink_to(root / "loop")
    path = make_file(1)
    for key in ["way-out/secret", "way-out/deeper/new", "loop/x", "../outside/secret", ".incoming/x", ".incoming"]:
        for call in [folder.put_file(path, key), folder.head(key), folder.delete(key), folder.presigned_url(key, 1)]:
            with pytest.raises(InvalidKeyError):
                await call
        with pytest.raises(InvalidKeyError):
            await anext(folder.read(key))
    with pytest.raises(NoSuchObjectError):
        await anext(folder.read("link"))
    assert await listed(folder) == []
    await folder.put_file(path, "link")
    assert (outside / "secret").read_text() == "secret"
    assert await listed(folder) == ["link"]


async def test_a_key_cannot_be_a_folder_in_anothers(folder: Folder, make_file: Make) -> None:
    path = make_file(1)
    await folder.put_file(path, "a/b")
    for key in ["a", "a/b/c", "a/b/c/d"]:
        with pytest.raises(InvalidKeyError) as raised:
            await folder.put_file(path, key)
        assert not raised.value.retryable
    await folder.delete("a")
    await folder.delete("a/b/c")
    assert await listed(folder) == ["a/b"]
    assert await folder.remove_leftovers() == 0


async def test_a_folder_that_is_removed_while_a_file_moves_into_it_is_made_again(
    folder: Folder, make_file: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, removed = Path.replace, list[Path]()

    def replace_too_late(path: Path, target: Path) -> Path:
        if not removed:
            target.parent.rmdir()  # what `delete` of the folder's last object does
            removed.append(target.parent)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", replace_too_late)
    stored = await folder.put_file(make_file(1), "gone/in-between")
    assert removed == [folder.root / "gone"]
    await folder.verify("gone/in-between", stored.size, stored.checksum)


async def test_storing_and_deleting_beside_each_other_do_not_disturb(folder: Folder, make_file: Make) -> None:
    path = make_file(10)

    async def come_and_go(number: int) -> None:
        for _ in range(20):
            await folder.put_file(path, f"shared/folder/{number}")
            await folder.delete(f"shared/folder/{number}")

    await asyncio.gather(*(come_and_go(number) for number in range(8)))
    assert await listed(folder) == []
    assert not (folder.root / "shared").exists()


async def test_files_that_were_not_stored_by_us_are_objects_too(folder: Folder) -> None:
    path = folder.root / "by-hand" / "talk.mp4"
    path.parent.mkdir()
    path.write_bytes(b"talk")
    assert await listed(folder) == ["by-hand/talk.mp4"]
    assert await folder.content_type("by-hand/talk.mp4") == "video/mp4"
    await folder.verify("by-hand/talk.mp4", 4, hashlib.sha256(b"talk").hexdigest())


async def test_urls_signed_with_an_old_secret_still_work_until_it_is_gone(tmp_path: Path, make_file: Make) -> None:
    root = tmp_path / "root"
    root.mkdir()
    old, new = b"old-secret-of-16+", b"new-secret-of-16+"
    before = Folder(root, "recordings", "http://host/files", [old], SystemClock())
    url = yarl.URL(await before.presigned_url("a/b c.mp4", 60), encoded=True)
    expires, signature = url.query["expires"], url.query["signature"]
    assert abs(int(expires) - SystemClock().now() // NANOSECONDS - 60) < 30
    rotated = Folder(root, "recordings", "http://host/files", [new, old], SystemClock())
    rotated.check_link("a/b c.mp4", expires, signature)
    after = Folder(root, "recordings", "http://host/files", [new], SystemClock())
    with pytest.raises(links.InvalidLinkError):
        after.check_link("a/b c.mp4", expires, signature)
    newer = yarl.URL(await rotated.presigned_url("a", 60), encoded=True).query
    after.check_link("a", newer["expires"], newer["signature"])


@pytest.mark.parametrize("secrets", [[], [b"short"], [b"0123456789abcdef", b""]])
def test_secrets_that_are_none_are_refused(tmp_path: Path, secrets: list[bytes]) -> None:
    with pytest.raises(ValueError, match="16 bytes") as raised:
        Folder(tmp_path, "recordings", "http://host", secrets, SystemClock())
    assert "short" not in str(raised.value)


async def test_a_folders_url_answers_head_and_conditional_requests(folder: Folder, make_file: Make) -> None:
    await folder.put_file(make_file(100), "a.mp4")
    url = yarl.URL(await folder.presigned_url("a.mp4", 60), encoded=True)
    async with aiohttp.ClientSession() as http:
        async with http.head(url) as answer:
            assert (answer.status, answer.headers["content-length"]) == (200, "100")
            tag = answer.headers["etag"]
        async with http.get(url, headers={"if-none-match": tag}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
        async with http.get(url, headers={"range": "bytes=0-9", "if-range": tag}) as answer:
            assert (answer.status, len(await answer.read())) == (206, 10)
        async with http.get(url, headers={"range": "bytes=0-9", "if-range": '"another"'}) as answer:
            assert (answer.status, len(await answer.read())) == (200, 100)


async def test_a_new_file_may_be_read_by_whom_the_umask_lets(folder: Folder, make_file: Make) -> None:
    mask = os.umask(0o027)
    try:
        await folder.put_file(make_file(1), "a")
    finally:
        os.umask(mask)
    assert (folder.root / "a").stat().st_mode & 0o777 == 0o640
