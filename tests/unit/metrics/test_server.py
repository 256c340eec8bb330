"""A whole server, scraped at both of its ports."""

from __future__ import annotations

import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from callboard.demo.server import ServerProcess
from callboard.testing.ports import free_port


def scraped(url: str, token: str = "") -> set[str]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
        return {family.name for family in text_string_to_metric_families(answer.read().decode())}


async def test_a_server_is_scraped_at_its_own_port_with_a_token_and_at_another_without(tmp_path: Path) -> None:
    port, token = free_port(), "0123456789abcdef"
    settings = {"CALLBOARD_METRICS__PORT": str(port), "CALLBOARD_METRICS__TOKEN": token}
    server = ServerProcess(tmp_path, settings)
    await server.start()
    try:
        found = scraped(f"{server.base_url}/metrics", token)
        assert found == scraped(f"http://127.0.0.1:{port}/metrics")
        assert {"callboard_info", "callboard_sessions", "callboard_database_commit_seconds"} <= found
        assert {"callboard_capture_disk_free_bytes", "callboard_recording_seconds"} <= found
        assert "callboard_http_requests" in found  # it was asked whether it is ready
    finally:
        assert await server.stop() == 0
