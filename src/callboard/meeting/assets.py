"""The built files of the page, as they were when the server started.

Owns: `load`. Always holds: only what was in the folder is ever served, under its own name: there is no way from an
address to a path. Names carry a hash of the content, so what has a name never changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

FOLDER: Final = Path(__file__).parent / "static"
PAGE: Final = "index.html"
COMPRESSED: Final = ".gz"
TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        ".js": "text/javascript",
        ".css": "text/css",
        ".txt": "text/plain",
        ".svg": "image/svg+xml",
        ".png": "image/png",
        ".wav": "audio/wav",
        ".woff2": "font/woff2",
    }
)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file: its bytes, the same gzipped if that is smaller, and its media type."""

    content: bytes
    gzipped: bytes | None
    media_type: str


@dataclass(frozen=True, slots=True)
class Built:
    """The page and everything it loads from us, by file name."""

    page: bytes
    assets: Mapping[str, Asset]


def load(folder: Path = FOLDER) -> Built | None:
    """What `make meeting` built, or None when it has not been built. Raises `OSError` for a folder that cannot be
    read."""
    page = folder / PAGE
    if not page.exists():
        return None
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    assets = {
        name: Asset(content, files.get(name + COMPRESSED), TYPES[Path(name).suffix])
        for name, content in files.items()
        if Path(name).suffix in TYPES
    }
    return Built(files[PAGE], MappingProxyType(assets))
