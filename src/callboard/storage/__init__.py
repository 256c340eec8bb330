"""Where recordings are kept: a local folder or a bucket behind one interface, and signed URLs for both.

Owns: the room's public names. `Folder` and `Bucket` are the two implementations of `Storage`; `paths` says where an
asset goes, `serving` and `links` what an HTTP server needs to hand out a folder's objects.

Always holds: it takes plain values and touches no other room. Credentials are in no `repr`, log or error.
"""

from callboard.storage import content_types, links, paths, serving
from callboard.storage.bucket import Bucket
from callboard.storage.client import Limits
from callboard.storage.destination import Destination
from callboard.storage.errors import (
    ChecksumError,
    DeniedError,
    InvalidKeyError,
    NoSuchBucketError,
    NoSuchObjectError,
    OutOfSpaceError,
    RejectedError,
    SettingsError,
    SourceError,
    StorageError,
    UnreachableError,
)
from callboard.storage.folder import Folder
from callboard.storage.interface import (
    EVENT_URL_SECONDS,
    MAXIMUM_URL_SECONDS,
    Entry,
    Progress,
    Proof,
    Scheme,
    Storage,
    Stored,
    api_url_seconds,
)

__all__ = [
    "EVENT_URL_SECONDS",
    "MAXIMUM_URL_SECONDS",
    "Bucket",
    "ChecksumError",
    "DeniedError",
    "Destination",
    "Entry",
    "Folder",
    "InvalidKeyError",
    "Limits",
    "NoSuchBucketError",
    "NoSuchObjectError",
    "OutOfSpaceError",
    "Progress",
    "Proof",
    "RejectedError",
    "Scheme",
    "SettingsError",
    "SourceError",
    "Storage",
    "StorageError",
    "Stored",
    "UnreachableError",
    "api_url_seconds",
    "content_types",
    "links",
    "paths",
    "serving",
]
