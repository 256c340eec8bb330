"""The numbers, of a real database, dispatcher and receiver; and the port of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from callboard.clock import SystemClock
from callboard.database import Database, Put, Unit
from callboard.database.tables import JOB
from callboard.jobs import Kind, Result, Run
from callboard.metrics.collector import Collector
from callboard.metrics.listener import MOST_HEAD, serving
from callboard.metrics.names import METRICS
from callboard.metrics.requests import Requests
from callboard.metrics.work import WorkerCollector
from callboard.recording.capture.meter import CaptureCounters, CapturedNow
from callboard.recording.making import Made
from callboard.testing.deliveries import House, eventually, house
from callboard.testing.jobs import Task, Workshop
from callboard.testing.ports import free_port
from callboard.testing.receiver import Receiver, status
from callboard.webhooks.endpoint import EndpointRequest

FAILED = "callboard_jobs_failed_last_hour"
Found = dict[tuple[str, tuple[str, ...]], float]


class Nobody:
    def all_live(self) -> list[Any]:
        return []


@pytest.fixture
async def home(database_url: str) -> AsyncIterator[House]:
    async with house(database_url) as home:
        yield home


def collector(home: House, **parts: Any) -> Collector:
    return Collector(
        **parts,
        database=home.database,
        ledger=home.ledger,
        endpoints=home.endpoints,
        dispatcher=home.dispatcher,
        rooms=Nobody(),
        requests=Requests(),
        clock=SystemClock(),
    )


async def read(home: House) -> Found:
    return parsed(await collector(home).text())


def parsed(text: str) -> Found:
    """Values by name and label values, without buckets."""
    known = {metric.name for metric in METRICS}
    found: Found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if not sample.name.endswith("_bucket"):
                assert {sample.name, sample.name.rpartition("_")[0]} & known, sample.name
                key = sample.name, tuple(sample.labels.values())
                assert key not in found
                found[key] = sample.value
    return found


async def test_deliveries_are_counted_and_what_waits_is_seen(home: House) -> None:
    async with Receiver() as receiver:
        endpoint = await home.endpoint(receiver)
        for _ in range(3):
            await home.commit("s1")
        await eventually(lambda: home.gauges(endpoint).delivered == 3)
        found = await read(home)
        id_ = endpoint.id
        assert found["callboard_webhook_attempts_total", (id_, "accepted")] == 3
        assert found["callboard_webhook_receipt_seconds_count", ()] == 3
        assert 0 < found["callboard_webhook_receipt_seconds_sum", ()] < 30
        assert found["callboard_webhook_oldest_due_age_seconds", (id_,)] == 0
        assert found["callboard_webhook_pending_events", (id_,)] == 0
        assert found["callboard_webhook_breaker", (id_, "closed")] == 1
        assert found["callboard_ledger_position", ()] >= 3
        assert found["callboard_database_commit_seconds_count", ()] > 0
        assert found["callboard_sessions", ()] == found["callboard_peers", ()] == 0
        assert found["process_resident_memory_bytes", ()] > 1e6
        assert found["process_cpu_seconds_total", ()] > 0
        assert found["process_start_time_seconds", ()] > 1.7e9

        receiver.behaviour = lambda _: status(503)
        waiting = await home.commit("s1")
        await home.commit("s2")
        await eventually(lambda: home.gauges(endpoint).failed_attempts >= 4)
        found = await read(home)
        age = (SystemClock().now() - waiting.committed_at) / 1e9
        assert 0 < found["callboard_webhook_oldest_due_age_seconds", (id_,)] <= age
        assert found["callboard_webhook_oldest_due_age_seconds", (id_,)] > age - 20
        assert found["callboard_webhook_attempts_total", (id_, "http_5xx")] >= 4
        assert found["callboard_webhook_pending_events", (id_,)] == 2
        assert (
            found["callboard_webhook_lanes", (id_, "waiting")] + found["callboard_webhook_lanes", (id_, "active")] == 2
        )


async def test_the_breaker_says_why_nothing_is_sent(home: House) -> None:
    async with Receiver() as receiver:
        endpoint = await home.endpoint(receiver)

        async def states() -> dict[str, float]:
            found = await read(home)
            return {labels[1]: value for (name, labels), value in found.items() if name == "callboard_webhook_breaker"}

        await home.endpoints.pause(endpoint.id)
        assert [name for name, value in (await states()).items() if value] == ["paused"]
        await home.endpoints.resume(endpoint.id)
        receiver.behaviour = lambda _: status(410)
        await home.commit("s1")
        await eventually(lambda: not home.endpoints.get(endpoint.id).enabled)  # type: ignore[union-attr]
        assert [name for name, value in (await states()).items() if value] == ["disabled"]
        assert sum((await states()).values()) == 1


async def test_jobs_that_have_not_ended_are_counted(home: House) -> None:
    now = SystemClock().now()
    job: dict[str, Any] = dict.fromkeys((column.name for column in JOB.columns), 0)
    text = dict.fromkeys(("subject", "owner", "error_code", "error"), "")
    job |= {"id": "j1", "kind": "composite", "state": "waiting", "payload": b"{}", "progress": 0.0, **text}
    await home.database.commit(Unit((Put(JOB, tuple((job | {"created_at": now - 60_000_000_000}).values())),)))
    found = await read(home)
    assert found["callboard_jobs", ("composite", "waiting")] == 1
    assert 60 <= found["callboard_jobs_oldest_age_seconds", ("composite", "waiting")] < 120


async def test_jobs_in_trouble_and_jobs_that_failed_are_counted_by_their_error(home: House) -> None:
    now = SystemClock().now()
    base: dict[str, Any] = dict.fromkeys((column.name for column in JOB.columns), 0)
    base |= {"kind": "recording.deliver", "subject": "", "owner": "", "payload": b"{}", "progress": 0.0}
    hour = 3_600_000_000_000
    jobs: tuple[dict[str, Any], ...] = (
        {"state": "waiting", "error_code": "", "error": ""},
        {"state": "waiting", "error_code": "CLOUD_ACCESS_ERROR", "error": "it refuses"},
        {"state": "waiting", "error_code": "CLOUD_ACCESS_ERROR", "error": "it is gone"},
        {"state": "failed", "error_code": "", "error": "KeyError: 'x'", "ended_at": now},
        {"state": "failed", "error_code": "INPUT_ERROR", "error": "long ago", "ended_at": now - 2 * hour},
        {"state": "succeeded", "error_code": "", "error": "", "ended_at": now},
    )
    rows = [Put(JOB, tuple((base | job | {"id": f"j{number}"}).values())) for number, job in enumerate(jobs)]
    await home.database.commit(Unit(tuple(rows)))
    found = await read(home)
    trouble = {key: value for key, value in found.items() if key[0] in {"callboard_jobs_put_off", FAILED}}
    assert trouble == {
        ("callboard_jobs_put_off", ("recording.deliver", "CLOUD_ACCESS_ERROR")): 2,
        (FAILED, ("recording.deliver", "other")): 1,
    }


class Capturing:
    """What is asked of a recorder."""

    counters = CaptureCounters(segments=5, refused=1, completed=2, disk_alarms=1, bytes=4_000, free_bytes=90)
    floor, low = 100, True

    def now(self) -> CapturedNow:
        return CapturedNow(sessions=2, audio=3, video=1, files=4)


async def test_what_is_captured_and_why_not_is_seen(home: House) -> None:
    board = collector(home, capture=Capturing(), made=Made(seconds=12.5, lost=7))
    found = parsed(await board.text())
    seen = {key[0].removeprefix("callboard_"): value for key, value in found.items() if "capture_disk" in key[0]}
    assert seen == {
        "capture_disk_free_bytes": 90,
        "capture_disk_floor_bytes": 100,
        "capture_disk_low": 1,
        "capture_disk_alarms_total": 1,
    }
    assert found["callboard_capture_tracks", ("audio",)] == 3
    assert found["callboard_capture_tracks", ("video",)] == 1
    assert found["callboard_capture_bytes_total", ()] == 4_000
    assert found["callboard_capture_refused_total", ()] == 1
    assert found["callboard_recording_seconds_total", ()] == 12.5
    assert found["callboard_recording_lost_packets_total", ()] == 7


async def test_a_worker_shows_what_it_does_as_a_server_would_and_nothing_of_what_it_does_not(
    database: Database, home: House
) -> None:
    clock = SystemClock()
    jobs, begun, go_on = Workshop(database, clock), asyncio.Event(), asyncio.Event()

    async def perform(run: Run, payload: Task) -> Result:
        begun.set()
        await go_on.wait()
        return jobs.done(run.job)

    kind, other = jobs.add(Kind("recording.track", Task), perform), jobs.add(Kind("recording.chat", Task), perform)
    worker = jobs.worker()
    page = WorkerCollector(database, jobs.ledger, worker, Made(seconds=12.5, lost=7), clock)
    await worker.start()
    await jobs.enqueue(kind, "the secret of a job")
    await begun.wait()
    text = await page.text()
    assert "secret" not in text
    found = parsed(text)
    assert found["callboard_worker_running", (kind.name,)] == found["callboard_jobs", (kind.name, "running")] == 1
    assert found["callboard_worker_running", (other.name,)] == 0
    assert found["callboard_worker_tries_total", (kind.name, "done")] == 0
    go_on.set()
    await eventually(lambda: not worker.running)
    found = parsed(await page.text())
    assert found["callboard_worker_running", (kind.name,)] == 0
    assert found["callboard_worker_tries_total", (kind.name, "done")] == 1
    assert {labels[1] for name, labels in found if name == "callboard_worker_tries_total"} == {
        *("done", "failed", "retried", "released", "lost")
    }
    now = clock.now() / 1e9
    assert now - 30 < found["callboard_worker_last_look_time_seconds", ()] <= now
    assert now - 30 < found["callboard_worker_last_heartbeat_time_seconds", ()] <= now
    assert found["callboard_recording_lost_packets_total", ()] == 7
    also = {metric.name for metric in METRICS if metric.on_worker}
    only_with_rows = {name for name in also if name.startswith("callboard_jobs")}
    assert names_in(await page.text()) == also - only_with_rows
    server = collector(home)
    assert not {name for name in names_in(await server.text()) if name.startswith("callboard_worker")}
    server.worker = worker
    assert {name for name in also if name.startswith("callboard_worker")} <= names_in(await server.text())
    await worker.stop()


def names_in(text: str) -> set[str]:
    return {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


class Text:
    async def text(self) -> str:
        return "callboard_sessions 0\n"


async def test_a_port_of_its_own_serves_metrics_and_nothing_else() -> None:
    async with serving("127.0.0.1", free_port(), Text()) as port:
        answer = await ask(port, b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4")
        assert answer.endswith(b"\r\n\r\ncallboard_sessions 0\n")
        assert (await ask(port, b"GET /metrics?x=1 HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert (await ask(port, b"GET /v2/rooms HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404")
        assert (await ask(port, b"POST /metrics HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 405")
        assert (await ask(port, b"x" * 2 * MOST_HEAD)) == b""
        assert (await ask(port, b"\r\n\r\n")).startswith(b"HTTP/1.1 404")


async def test_where_it_is_asked_for_health_is_told_at_that_port_too() -> None:
    ready = {"database": True, "jobs": False}
    checks = {name: partial(ready.__getitem__, name) for name in ready}
    async with serving("127.0.0.1", free_port(), Text(), checks=checks) as port:
        answer = await ask(port, b"GET /healthz HTTP/1.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
        assert answer.endswith(b'{"status":"ok","checks":{}}')
        answer = await ask(port, b"GET /readyz HTTP/1.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable")
        assert answer.endswith(b'{"status":"unavailable","checks":{"database":true,"jobs":false}}')
        ready["jobs"] = True
        assert (await ask(port, b"GET /readyz HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert (await ask(port, b"GET /metrics HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert (await ask(port, b"POST /healthz HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 405")
        assert b"there is only /metrics, /healthz, /readyz" in await ask(port, b"GET / HTTP/1.1\r\n\r\n")
    async with serving("127.0.0.1", free_port(), Text()) as port:
        assert (await ask(port, b"GET /healthz HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404")


async def test_a_port_that_is_taken_is_named_with_its_setting() -> None:
    async with serving("127.0.0.1", free_port(), Text()) as port:
        with pytest.raises(OSError, match=r"metrics\.port"):
            async with serving("127.0.0.1", port, Text()):
                pass


async def test_the_oldest_that_waits_is_found_among_lanes_that_hold_nothing(tmp_path: Path) -> None:
    """After a restart lanes know where they are, and hold no event."""
    url = f"sqlite:///{tmp_path}/callboard.db"
    async with Receiver() as receiver:
        receiver.behaviour = lambda _: status(503)
        async with house(url) as home:
            endpoint = await home.endpoint(receiver)
            oldest = await home.commit("s1")
            for number in range(20):
                await home.commit(f"s{number % 4}")
        async with house(url) as home:
            await eventually(lambda: home.gauges(endpoint).pending == 21)
            assert await home.dispatcher.oldest(endpoint.id) == oldest.committed_at
            await home.endpoints.update(endpoint.id, EndpointRequest(enabled=False))
            await eventually(lambda: home.dispatcher.gauges_of(endpoint.id) is None)
            assert await home.dispatcher.oldest(endpoint.id) == 0
