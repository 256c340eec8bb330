"""The meeting page over HTTP: with a build, without one, and whatever else is asked for."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from callboard.meeting import load, meeting_handlers
from callboard.meeting.http import accepts_gzip, websocket_origin

SCRIPT = b"console.log('hello, hello, hello, hello')"
HASHED = "meeting-ABCD1234.js"

Client = TestClient[Litestar]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a build leaves: a page, a script and its gzip, a picture."""
    (tmp_path / "index.html").write_bytes(b"<!doctype html><title>Callboard</title>")
    (tmp_path / HASHED).write_bytes(SCRIPT)
    (tmp_path / f"{HASHED}.gz").write_bytes(gzip.compress(SCRIPT))
    (tmp_path / "hand-ABCD1234.png").write_bytes(b"\x89PNG")
    return tmp_path


@pytest.fixture
def client(folder: Path) -> Iterator[Client]:
    with TestClient(Litestar(meeting_handlers(load(folder)), logging_config=None)) as client:
        yield client


def test_every_room_code_gets_the_same_page(client: Client) -> None:
    pages = [client.get(f"/meeting/{code}") for code in ("abc-defg-hij", "no-such-code", "%3Cscript%3E")]
    assert {page.content for page in pages} == {b"<!doctype html><title>Callboard</title>"}
    assert {page.status_code for page in pages} == {200}
    assert pages[0].headers["content-type"] == "text/html; charset=utf-8"


def test_the_policy_names_the_websocket_of_the_host_that_was_asked(client: Client) -> None:
    policy = client.get("/meeting/abc", headers={"host": "rooms.example.org:8080"}).headers["content-security-policy"]
    assert "connect-src 'self' ws://rooms.example.org:8080;" in policy


def test_a_public_address_is_named_instead(folder: Path) -> None:
    with TestClient(
        Litestar(meeting_handlers(load(folder), "wss://rooms.example.org/ws"), logging_config=None)
    ) as client:
        policy = client.get("/meeting/abc").headers["content-security-policy"]
    assert "connect-src 'self' wss://rooms.example.org;" in policy


def test_files_are_served_compressed_to_whoever_takes_it(client: Client) -> None:
    answer = client.get(f"/meeting/static/{HASHED}", headers={"accept-encoding": "br, gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == SCRIPT  # the client has unpacked it
    plain = client.get(f"/meeting/static/{HASHED}", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == SCRIPT
    for one in (answer, plain):
        assert one.headers["vary"] == "accept-encoding"
        assert one.headers["content-type"] == "text/javascript; charset=utf-8"
        assert "immutable" in one.headers["cache-control"]


def test_a_file_without_a_smaller_form_is_sent_as_it_is(client: Client) -> None:
    answer = client.get("/meeting/static/hand-ABCD1234.png", headers={"accept-encoding": "gzip"})
    assert answer.content == b"\x89PNG"
    assert answer.headers["content-type"] == "image/png"
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    "name",
    ["other.js", "index.html", f"{HASHED}.gz", "..%2Fhttp.py", "%2e%2e%2fhttp.py", "..%5chttp.py", "x%00.js"],
)
def test_nothing_but_the_built_files_is_served(client: Client, name: str) -> None:
    assert client.get(f"/meeting/static/{name}").status_code == 404


def test_a_head_request_has_the_headers_only(client: Client) -> None:
    assert client.head("/meeting/abc").status_code == 200
    assert client.head(f"/meeting/static/{HASHED}").content == b""


def test_without_a_build_the_page_says_how_to_get_one(tmp_path: Path) -> None:
    built = load(tmp_path)
    assert built is None
    with TestClient(Litestar(meeting_handlers(built), logging_config=None)) as client:
        page = client.get("/meeting/abc-defg-hij")
        assert page.status_code == 503
        assert "make meeting" in page.text
        assert client.get(f"/meeting/static/{HASHED}").status_code == 404


def test_feedback_is_taken(client: Client) -> None:
    assert client.post("/v2/client/feedback", content=b'{"feedback": {"rating": 5}}').status_code == 200


@pytest.mark.parametrize("header", ["gzip", "gzip, deflate, br", "br, GZIP;q=0.5", "*", "gzip;q=1.0"])
def test_gzip_is_taken(header: str) -> None:
    assert accepts_gzip(header)


@pytest.mark.parametrize("header", ["", "identity", "br", "gzip;q=0", "gzip; q=0.0", "xgzip"])
def test_gzip_is_not_taken(header: str) -> None:
    assert not accepts_gzip(header)


def test_the_websocket_is_where_the_page_is_unless_it_is_said_where() -> None:
    assert websocket_origin("", "https", "rooms.example.org") == "wss://rooms.example.org"
    assert websocket_origin("", "http", "localhost:8080") == "ws://localhost:8080"
    assert websocket_origin("wss://node1.example.org/ws", "http", "localhost") == "wss://node1.example.org"
