"""URLs of Azure blobs, signed by us."""

from __future__ import annotations

import base64

from callboard.storage.azure_links import sign

KEY = base64.b64encode(b"azure-account-key").decode()
ENDPOINT = "https://acc.blob.core.windows.net"


def test_a_url_names_its_blob_its_end_and_what_it_permits() -> None:
    url = sign(ENDPOINT, "acc", KEY, "container", "a b/ü.mp4", 1_800_000_000)
    assert url == (
        "https://acc.blob.core.windows.net/container/a%20b/%C3%BC.mp4"
        "?sp=r&se=2027-01-15T08%3A00%3A00Z&spr=https&sv=2020-12-06&sr=b&sig=PEQYG63GrsaIFUVVYh6MfVYcTA0tQv6slX%2BiNdAqH1c%3D"
    )


def test_the_signature_is_of_the_blob_and_the_end() -> None:
    urls = {
        sign(ENDPOINT, "acc", KEY, container, key, expires).split("sig=")[1]
        for container, key, expires in [("c", "a", 1), ("c", "a", 2), ("c", "b", 1), ("d", "a", 1)]
    }
    assert len(urls) == 4


def test_plain_http_is_for_endpoints_that_have_nothing_else() -> None:
    assert "&spr=https%2Chttp&" in sign("http://127.0.0.1:10000/acc/", "acc", KEY, "c", "a", 1)
    assert "http://127.0.0.1:10000/acc/c/a?" in sign("http://127.0.0.1:10000/acc/", "acc", KEY, "c", "a", 1)
