"""Whether a process can do its work, as it says over HTTP: a server at its port, a worker at that of its metrics.

Owns: `Health`, `ALIVE`, `readiness`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

Checks = Mapping[str, Callable[[], bool]]
"""By name: whether that part is ready."""


class Health(Struct, frozen=True, kw_only=True):
    """`checks`: by name, whether that part is ready."""

    status: str
    checks: dict[str, bool] = {}


ALIVE = Health(status="ok")
"""What is said at `/healthz`, as long as the process answers at all."""


def readiness(checks: Checks) -> tuple[int, Health]:
    """What is said at `/readyz`: 200 when every part is ready, else 503, with which ones are not."""
    found = {name: check() for name, check in checks.items()}
    ready = all(found.values())
    return 200 if ready else 503, Health(status="ok" if ready else "unavailable", checks=found)
