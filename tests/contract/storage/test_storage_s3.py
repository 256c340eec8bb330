"""A bucket of a real S3 server when things go wrong: failures have names, and nothing half-stored is called stored."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
import socket
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from callboard.storage import (
    Bucket,
    ChecksumError,
    DeniedError,
    Destination,
    Limits,
    NoSuchBucketError,
    NoSuchObjectError,
    OutOfSpaceError,
    SettingsError,
    StorageError,
    UnreachableError,
)

if TYPE_CHECKING:
    from tests.contract.storage.conftest import Proxy

    from callboard.testing.s3 import S3Server

MIB = 1 << 20
PART = 5 * MIB
LIMITS = Limits(request=10.0, slowest=4 * MIB, part=PART, parts=2, abort=5.0)
IMPATIENT = Limits(request=1.0, slowest=50 * MIB, part=PART, parts=2, abort=1.0)

Make = Callable[[int], Path]


async def read_all(bucket: Bucket, key: str) -> bytes:
    async with aclosing(bucket.read(key)) as blocks:
        return b"".join([block async for block in blocks])


async def list_all(bucket: Bucket) -> list[str]:
    async with aclosing(bucket.list("")) as entries:
        return [entry.key async for entry in entries]


def every_call(bucket: Bucket, path: Path) -> list[Callable[[], Awaitable[object]]]:
    """Each method that sends a request."""
    return [
        lambda: bucket.put_file(path, "any/key.mp4"),
        lambda: bucket.head("any/key.mp4"),
        lambda: read_all(bucket, "any/key.mp4"),
        lambda: list_all(bucket),
        lambda: bucket.delete("any/key.mp4"),
        lambda: bucket.verify("any/key.mp4", 1, "00"),
    ]


# --- whom it talks to, and as whom ------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "secret"), [("", "wrong-secret-0123"), ("unknown-key", "")])
async def test_wrong_credentials_are_denied(s3_server: S3Server, make_file: Make, key: str, secret: str) -> None:
    right = s3_server.destination("recordings")
    bucket = Bucket(replace(right, key=key or right.key, secret=secret or right.secret), LIMITS)
    for call in every_call(bucket, make_file(1)):
        with pytest.raises(DeniedError) as raised:
            await call()
        assert not raised.value.retryable
    with pytest.raises(DeniedError, match="403"):
        await bucket.put_file(make_file(2 * PART), "large.mp4")


async def test_a_missing_bucket_is_told_from_a_missing_object(s3_server: S3Server, make_file: Make) -> None:
    bucket = Bucket(s3_server.destination("nobodys"), LIMITS)
    for size in [1, 2 * PART]:
        with pytest.raises(NoSuchBucketError) as raised:
            await bucket.put_file(make_file(size), "any/key.mp4")
        assert not raised.value.retryable
    for call in every_call(bucket, make_file(1))[:4]:
        with pytest.raises(NoSuchBucketError):
            await call()
    there = Bucket(s3_server.destination("recordings"), LIMITS)
    with pytest.raises(NoSuchObjectError, match="404"):
        await there.head("no/such.mp4")


async def test_the_environment_does_not_lead_uploads_elsewhere(s3_server: S3Server, tmp_path: Path) -> None:
    script = """
import asyncio, os, sys
from pathlib import Path
from callboard.storage import Bucket, Destination

async def main(endpoint, folder):
    bucket = Bucket(Destination("s3", "recordings", "callboard-key", "callboard-secret-0123", endpoint=endpoint))
    path = Path(folder, "file")
    path.write_bytes(b"mine")
    stored = await bucket.put_file(path, "environment/file")
    print(stored.proof, await bucket.presigned_url("environment/file", 60), flush=True)
    os._exit(0)  # obstore's threads can abort an interpreter that is being finalised: not what is tested here

asyncio.run(main(*sys.argv[1:]))
"""
    elsewhere = "http://127.0.0.1:9"
    environment = {
        "AWS_ACCESS_KEY_ID": "others-key",
        "AWS_SECRET_ACCESS_KEY": "others-secret",
        "AWS_SESSION_TOKEN": "others-token",
        "AWS_ENDPOINT": elsewhere,
        "AWS_ENDPOINT_URL": elsewhere,
        "AWS_ENDPOINT_URL_S3": elsewhere,
        "AWS_BUCKET": "others-bucket",
        "AWS_REGION": "eu-west-1",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_UNSIGNED_PAYLOAD": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
        "AWS_REQUEST_PAYER": "true",
        "AWS_S3_EXPRESS": "true",
    }
    ran = await run_script(script, s3_server.endpoint, str(tmp_path), environment=environment)
    assert ran.startswith(f"etag {s3_server.endpoint}/recordings/environment/file?")
    assert "others" not in ran
    assert "payer" not in ran


async def run_script(script: str, *arguments: str, environment: dict[str, str]) -> str:
    """What the script printed. It is killed when the test is."""
    process = await asyncio.create_subprocess_exec(
        *("setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-c", script, *arguments),
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(100):
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()


# --- a server that is away --------------------------------------------------------------------------------------


async def test_a_server_that_refuses_is_unreachable_and_the_same_bucket_works_when_it_is_back(
    own_s3_server: S3Server, make_file: Make
) -> None:
    bucket, path = Bucket(own_s3_server.destination("recordings"), LIMITS), make_file(2 * PART)
    for call in every_call(bucket, path):
        with pytest.raises(UnreachableError, match="connection refused") as raised:
            await call()
        assert raised.value.retryable

    own_s3_server.start()
    own_s3_server.create_bucket("recordings")
    stored = await bucket.put_file(path, "back.mp4")
    # This server keeps no ETags, but its answer to the upload had one.
    assert (stored.proof, (await bucket.head("back.mp4")).etag) == ("etag", "")

    own_s3_server.stop()
    with pytest.raises(UnreachableError):
        await bucket.verify("back.mp4", stored.size, stored.checksum)
    own_s3_server.start()
    await bucket.verify("back.mp4", stored.size, stored.checksum)


async def failure_of(call: Callable[[], Awaitable[object]]) -> StorageError | None:
    try:
        await call()
    except StorageError as error:
        return error
    return None


@asynccontextmanager
async def raw_server(*, hangs: bool) -> AsyncIterator[Destination]:
    """Accepts connections and never answers, or hangs up at once."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        listener.setblocking(False)
        kept: list[socket.socket] = []

        async def accept() -> None:
            while True:
                connection, _ = await asyncio.get_running_loop().sock_accept(listener)
                if hangs:
                    kept.append(connection)
                else:
                    connection.close()

        accepting = asyncio.create_task(accept())
        try:
            endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
            yield Destination("s3", "recordings", "some-key", "some-secret", endpoint=endpoint)
        finally:
            accepting.cancel()
            await asyncio.gather(accepting, return_exceptions=True)
            for connection in kept:
                connection.close()


@pytest.mark.parametrize("hangs", [True, False])
async def test_a_server_that_hangs_or_hangs_up_is_unreachable(make_file: Make, hangs: bool) -> None:
    reasons = {"no answer in time"} if hangs else {"the connection broke", "no connection"}
    path, large = make_file(1), make_file(3 * PART)
    async with raw_server(hangs=hangs) as destination, asyncio.timeout(100):
        bucket = Bucket(destination, IMPATIENT)
        calls = [*every_call(bucket, path), lambda: bucket.put_file(large, "large.mp4")]
        failures = await asyncio.gather(*(failure_of(call) for call in calls))
    for failure in failures:
        assert isinstance(failure, UnreachableError), failure
        assert failure.detail in reasons
        assert failure.retryable


async def test_a_hiccup_is_not_even_noticed(proxy: Proxy, make_file: Make) -> None:
    failed: set[str] = set()

    async def fail_once(request: web.Request, body: bytes) -> bytes | web.Response:
        if request.raw_path in failed:
            return body
        failed.add(request.raw_path)
        return web.Response(status=503, text="<Error><Code>SlowDown</Code></Error>")

    proxy.rule = fail_once
    stored = await Bucket(proxy.destination("recordings"), LIMITS).put_file(make_file(2 * PART), "hiccup.mp4")
    assert stored.proof == "etag"
    assert len(failed) >= 4  # the upload's start, two parts, its end


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (500, "InternalError", UnreachableError),
        (503, "SlowDown", UnreachableError),
        (429, "TooManyRequests", UnreachableError),
        (507, "XMinioStorageFull", OutOfSpaceError),
        (403, "QuotaExceeded", OutOfSpaceError),
        (403, "AccessDenied", DeniedError),
        (401, "", DeniedError),
        (301, "PermanentRedirect", SettingsError),
        (400, "AuthorizationHeaderMalformed", SettingsError),
    ],
)
async def test_what_a_server_answers_says_what_kind_of_failure_it_is(
    proxy: Proxy, make_file: Make, status: int, code: str, kind: type[StorageError]
) -> None:
    async def refuse(request: web.Request, body: bytes) -> bytes | web.Response:
        return web.Response(status=status, text=f"<Error><Code>{code}</Code></Error>")

    proxy.rule = refuse
    for size in [1, 2 * PART]:
        with pytest.raises(kind) as raised:
            await Bucket(proxy.destination("recordings"), LIMITS).put_file(make_file(size), "refused.mp4")
        assert raised.value.retryable is (kind in {UnreachableError, OutOfSpaceError})


async def test_a_server_without_room_is_out_of_space(full_s3_server: S3Server, make_file: Make) -> None:
    bucket = Bucket(full_s3_server.destination("recordings"), LIMITS)
    path = make_file(2 * PART)

    async def fill() -> None:
        for number in range(60):
            try:
                await bucket.put_file(path, f"file-{number}")
            except UnreachableError:  # what this server says first, when its own temporary files cannot be made
                continue

    with pytest.raises(OutOfSpaceError) as raised:
        await fill()
    assert raised.value.retryable


# --- uploads that do not end ------------------------------------------------------------------------------------


def aborted(proxy: Proxy) -> bool:
    return any(seen.startswith("DELETE") and "uploadId=" in seen for seen in proxy.seen)


async def test_a_server_that_hangs_in_the_middle_of_an_upload(proxy: Proxy, make_file: Make) -> None:
    async def hang_in_part_two(request: web.Request, body: bytes) -> bytes | web.Response:
        if request.query.get("partNumber") == "2":
            await asyncio.Event().wait()
        return body

    proxy.rule = hang_in_part_two
    limits = replace(IMPATIENT, request=4.0, abort=60.0)  # what is answered may take its time
    with pytest.raises(UnreachableError, match="no answer in time"):
        await Bucket(proxy.destination("recordings"), limits).put_file(make_file(4 * PART), "middle.mp4")
    assert aborted(proxy)


async def test_an_upload_that_is_cancelled_leaves_no_parts_and_the_old_object(
    proxy: Proxy, bucket: Bucket, make_file: Make
) -> None:
    old = await bucket.put_file(make_file(10), "cancelled.mp4")
    first_part_arrived, go_on = asyncio.Event(), asyncio.Event()

    async def hold_the_parts(request: web.Request, body: bytes) -> bytes | web.Response:
        if request.query.get("partNumber"):
            first_part_arrived.set()
            await go_on.wait()
        return body

    proxy.rule = hold_the_parts
    upload = asyncio.create_task(
        Bucket(proxy.destination("recordings"), LIMITS).put_file(make_file(8 * PART), "cancelled.mp4")
    )
    async with asyncio.timeout(60):
        await first_part_arrived.wait()
        upload.cancel()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await upload
    assert aborted(proxy)
    await bucket.verify("cancelled.mp4", old.size, old.checksum)


async def test_an_upload_whose_file_changes_leaves_no_parts(proxy: Proxy, make_file: Make) -> None:
    path = make_file(4 * PART)

    def spoil(done: int, total: int) -> None:
        if done > 2 * PART:
            os.truncate(path, PART)

    with pytest.raises(StorageError, match="changed"):
        await Bucket(proxy.destination("recordings"), LIMITS).put_file(path, "spoilt.mp4", progress=spoil)
    assert aborted(proxy)


# --- what is stored is what was read ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1000, 3 * PART])
async def test_bytes_that_change_on_the_way_are_not_stored(
    proxy: Proxy, bucket: Bucket, make_file: Make, size: int
) -> None:
    async def flip_a_bit(request: web.Request, body: bytes) -> bytes | web.Response:
        return body[:-1] + bytes([body[-1] ^ 1]) if request.method == "PUT" else body

    proxy.rule = flip_a_bit
    with pytest.raises(ChecksumError, match="XAmzContentSHA256Mismatch") as raised:
        await Bucket(proxy.destination("recordings"), LIMITS).put_file(make_file(size), f"flipped/{size}")
    assert raised.value.retryable
    with pytest.raises(NoSuchObjectError):
        await bucket.head(f"flipped/{size}")


def flip_a_bit_on_disk(server: S3Server, content: bytes) -> None:
    """Change one bit of what the server has stored. The file of a JuiceFS block is the block's bytes."""
    found = [path for path in server.data.rglob("*") if path.is_file() and path.read_bytes() == content]
    assert len(found) == 1
    found[0].write_bytes(bytes([content[0] ^ 1]) + content[1:])


async def test_bytes_that_rot_in_the_bucket_are_detected(s3_server: S3Server, bucket: Bucket, make_file: Make) -> None:
    path = make_file(100_000)
    stored = await bucket.put_file(path, "rotten.mp4")
    await bucket.verify("rotten.mp4", stored.size, stored.checksum)
    flip_a_bit_on_disk(s3_server, path.read_bytes())
    with pytest.raises(ChecksumError):
        await bucket.verify("rotten.mp4", stored.size, stored.checksum)


def with_another_etag(request: web.Request, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
    """As a server does that encrypts with a key of its own: the ETag of an object says nothing."""
    if "partNumber" in request.query:
        return headers, body
    another = hashlib.md5(b"another", usedforsecurity=False).hexdigest()
    return headers | {"etag": f'"{another}"'}, re.sub(rb"<ETag>.*</ETag>", f"<ETag>{another}</ETag>".encode(), body)


@pytest.mark.parametrize("size", [0, 1000, 2 * PART + 5])
async def test_an_etag_that_says_nothing_is_made_up_for_by_reading(proxy: Proxy, make_file: Make, size: int) -> None:
    proxy.amend = with_another_etag
    stored = await Bucket(proxy.destination("recordings"), LIMITS).put_file(make_file(size), f"encrypted/{size}")
    assert stored.proof == "read_back"


async def test_an_upload_that_is_stored_wrong_is_detected(s3_server: S3Server, proxy: Proxy, make_file: Make) -> None:
    path = make_file(100_000)

    async def rot_before_it_is_looked_at(request: web.Request, body: bytes) -> bytes | web.Response:
        if request.method == "HEAD" and not any(seen.startswith("HEAD") for seen in proxy.seen[:-1]):
            flip_a_bit_on_disk(s3_server, path.read_bytes())
        return body

    proxy.rule, proxy.amend = rot_before_it_is_looked_at, with_another_etag
    with pytest.raises(ChecksumError):
        await Bucket(proxy.destination("recordings"), LIMITS).put_file(path, "stored-wrong.mp4")


async def test_an_upload_that_was_taken_but_is_not_there_is_detected(
    proxy: Proxy, bucket: Bucket, make_file: Make
) -> None:
    async def lose_it(request: web.Request, body: bytes) -> bytes | web.Response:
        if request.method == "HEAD":
            await bucket.delete("lost.mp4")
        return body

    proxy.rule = lose_it
    with pytest.raises(ChecksumError, match="not there"):
        await Bucket(proxy.destination("recordings"), LIMITS).put_file(make_file(10), "lost.mp4")


async def test_a_bucket_that_may_only_be_written_is_enough(proxy: Proxy, bucket: Bucket, make_file: Make) -> None:
    async def forbid_reading(request: web.Request, body: bytes) -> bytes | web.Response:
        if request.method in {"GET", "HEAD"}:
            return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>")
        return body

    proxy.rule = forbid_reading
    write_only = Bucket(proxy.destination("recordings"), LIMITS)
    for size in [10, 2 * PART]:
        stored = await write_only.put_file(make_file(size), f"write-only/{size}")
        assert stored.proof == "etag"
        await bucket.verify(stored.key, stored.size, stored.checksum)
    proxy.amend = with_another_etag
    stored = await write_only.put_file(make_file(10), "write-only/encrypted")
    assert stored.proof == "received"
    with pytest.raises(DeniedError):
        await write_only.head("write-only/encrypted")


# --- memory and secrets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mebibytes", [50, 200])
async def test_memory_does_not_grow_with_the_file(s3_server: S3Server, make_file: Make, mebibytes: int) -> None:
    script = """
import asyncio, sys
from pathlib import Path
from callboard.storage import Bucket, Destination

def peak():  # of resident memory, KiB (proc(5), VmHWM)
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])

async def main(endpoint, path):
    bucket = Bucket(Destination("s3", "recordings", "callboard-key", "callboard-secret-0123", endpoint=endpoint))
    small = Path(path + ".small")
    small.write_bytes(b"x")
    await bucket.put_file(small, "memory/small")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = peak()
    stored = await bucket.put_file(Path(path), "memory/large")
    await bucket.verify(stored.key, stored.size, stored.checksum)
    print(peak() - before)

asyncio.run(main(*sys.argv[1:]))
"""
    grown = await run_script(script, s3_server.endpoint, str(make_file(mebibytes * MIB)), environment={})
    assert int(grown) < 48 * 1024


async def test_no_failure_shows_a_credential(
    s3_server: S3Server, proxy: Proxy, make_file: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret, key = "hidden-secret-value", "hidden-key-id"
    echo = f"<Error><Code>Weird</Code><AWSAccessKeyId>{key}</AWSAccessKeyId><Message>{secret}</Message></Error>"

    async def tell_it_all(request: web.Request, body: bytes) -> bytes | web.Response:
        assert key in request.headers["authorization"]
        return web.Response(status=400, text=echo)

    proxy.rule = tell_it_all
    destinations = [
        replace(s3_server.destination("recordings"), key=key, secret=secret),
        replace(proxy.destination("recordings"), key=key, secret=secret),
        Destination("s3", "recordings", key, secret, endpoint="http://127.0.0.1:9"),
    ]
    shown = [repr(destination) for destination in destinations]
    for destination in destinations:
        bucket = Bucket(destination, IMPATIENT)
        shown.append(repr(bucket))
        for call in [*every_call(bucket, make_file(1)), *every_call(bucket, make_file(2 * PART))[:1]]:
            error = await failure_of(call)
            assert error is not None
            shown += [repr(error), *traceback.format_exception(error)]
    with pytest.raises(SettingsError) as raised:
        Bucket(Destination("azure", "recordings", key, secret))
    shown += [repr(raised.value), caplog.text]
    assert len(shown) > 40
    assert not [text for text in shown if secret in text or key in text]
