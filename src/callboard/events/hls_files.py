"""The files of an HLS recording that are listed in its event.

Owns: `LayerFile`, `Thumbnail`. Source: seed, `hls.recording.success`, sample; platform.md §5.5, §10.8.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from callboard.events.fields import Bytes, Pixels, Seconds


class LayerFile(msgspec.Struct, frozen=True, kw_only=True):
    """One layer of the stream as a file."""

    asset_id: Annotated[
        str,
        Meta(description="The id of the file's asset: 24 hex digits.", examples=["67879612000000000000000e"]),
    ]
    layer: Annotated[str, Meta(description='The layer\'s number as text; "0" is the best.', examples=["0"])]
    recording_path: Annotated[
        str,
        Meta(
            description="Where the file is stored.",
            examples=["s3://recordings/acme/hls/65a000000000000000000004/20250115/Rec-1736935260500-0.mp4"],
        ),
    ]
    recording_presigned_url: Annotated[
        str,
        Meta(
            description="Signed URL to download the file.",
            examples=["https://storage.example/hls/Rec-1736935260500-0.mp4?signature=1f2e3d"],
        ),
    ]
    size: Annotated[Bytes, Meta(description="The size of the file in bytes.", examples=[912345678])]
    width: Annotated[Pixels, Meta(description="The width of the picture in pixels.", examples=[1280])]
    height: Annotated[Pixels, Meta(description="The height of the picture in pixels.", examples=[720])]


class Thumbnail(msgspec.Struct, frozen=True, kw_only=True):
    """One picture from the recording."""

    width: Annotated[Pixels, Meta(description="Its width in pixels.", examples=[1280])]
    height: Annotated[Pixels, Meta(description="Its height in pixels.", examples=[720])]
    offset: Annotated[Seconds, Meta(description="Whole seconds from the beginning of the recording.", examples=[60])]
    location: Annotated[
        str,
        Meta(
            description="Where the picture is stored.",
            examples=["s3://recordings/acme/hls/65a000000000000000000004/20250115/thumbnail-60.png"],
        ),
    ]
    url: Annotated[
        str,
        Meta(
            description="Signed URL to download the picture.",
            examples=["https://storage.example/hls/thumbnail-60.png?signature=1f2e3d"],
        ),
    ]
