"""URLs of Azure blobs that anybody may GET until they expire (service SAS). Pure.

Owns: `sign`. obstore can sign them too, but signs the percent-encoded name, and then the server refuses every name
with a space or a letter beyond ASCII (seen with obstore 0.12.1 and Azurite 3.37).

Always holds: the form is "Create a service SAS" of the Azure Storage REST API, version 2020-12-06, with read
permission for one blob.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

VERSION = "2020-12-06"


def sign(endpoint: str, account: str, account_key: str, container: str, key: str, expires: int) -> str:
    """The URL of the blob `key` that is valid before `expires` (seconds since the epoch, UTC).

    `account_key` is in base64; `endpoint` is the account's blob endpoint.
    """
    until = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    protocols = "https" if endpoint.startswith("https://") else "https,http"
    resource = f"/blob/{account}/{container}/{key}"
    # sp, st, se, resource, si, sip, spr, sv, sr, snapshot, encryption scope, rscc, rscd, rsce, rscl, rsct
    fields = ["r", "", until, resource, "", "", protocols, VERSION, "b", "", "", "", "", "", "", ""]
    digest = hmac.digest(base64.b64decode(account_key), "\n".join(fields).encode(), hashlib.sha256)
    signature = base64.b64encode(digest).decode()
    query = urlencode({"sp": "r", "se": until, "spr": protocols, "sv": VERSION, "sr": "b", "sig": signature})
    return f"{endpoint.rstrip('/')}/{quote(container)}/{quote(key, safe='/')}?{query}"
