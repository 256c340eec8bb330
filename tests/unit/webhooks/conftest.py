"""The event loops of these tests, and a certificate authority for receivers that speak TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from callboard.testing.certificates import Authority


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The sender lives on the loop's transports, so it is tested on both kinds; all else on the one that serves."""
    if item.path.name in {"test_sender.py", "test_zoo.py"}:
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)
