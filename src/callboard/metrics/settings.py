"""What can be set about metrics.

Owns: `Metrics`, a table of the settings file; `Address`, `host_and_port`.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from callboard.config_section import Section

Address = Annotated[
    str,
    Meta(
        pattern=r"^(|(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z._-]{1,253})"
        r":([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))$(?!\n)",
        extra={"allowed": "empty, or HOST:PORT, as 127.0.0.1:9464 or [::1]:9464 (a port from 1 to 65535)"},
    ),
]


class Metrics(Section, frozen=True):
    """Numbers for Prometheus. At /metrics a management token reads them; here are two ways more, and a worker's."""

    token: Annotated[
        str,
        Meta(
            pattern=r"^(|[!-~]{16,512})$(?!\n)",
            extra={"allowed": "empty, or 16 to 512 printable ASCII characters without spaces"},
            description="A bearer token that may read /metrics and nothing else. Empty: none.",
        ),
    ] = ""
    host: Annotated[
        str,
        Meta(
            min_length=1,
            description="Address of the port below. Who reaches it needs no token: not for a public network.",
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int, Meta(ge=0, le=65535, description="TCP port on which /metrics is served without a token; 0 is none.")
    ] = 0

    worker: Annotated[
        Address,
        Meta(
            description="HOST:PORT where `callboard worker` serves its own /metrics, /healthz and /readyz, without a"
            " token. Empty: nowhere."
        ),
    ] = ""

    def __repr__(self) -> str:
        return f"Metrics(host={self.host!r}, port={self.port}, worker={self.worker!r}, token=…)"


def host_and_port(address: Address) -> tuple[str, int]:
    """The parts of an address that is not empty."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
