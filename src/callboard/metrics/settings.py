"""What can be set about metrics.

Owns: `Metrics`, a table of the settings file.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from callboard.config_section import Section


class Metrics(Section, frozen=True):
    """Numbers for Prometheus. At /metrics a management token reads them; here are two ways more."""

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

    def __repr__(self) -> str:
        return f"Metrics(host={self.host!r}, port={self.port}, token=…)"
