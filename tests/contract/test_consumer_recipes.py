"""The recipes of `docs/webhooks/verify.md`, run as they stand there, against what is really sent."""

from __future__ import annotations

import base64
import importlib
import logging
import random
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import msgspec
import pytest
import uvicorn

from callboard import consumer
from callboard.clock import NANOSECONDS
from callboard.events import sample
from callboard.ledger import Recorded
from callboard.webhooks.endpoint import Endpoint, EndpointRequest, new_endpoint, rotated_endpoint
from callboard.webhooks.keys_public import PublicKey, thumbprint
from callboard.webhooks.request import Renderer

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks" / "verify.md").read_text(encoding="utf-8")
RANDOM = random.Random(8).randbytes
BODY = msgspec.json.encode(sample("peer.join.success"))
EVENT = Recorded(1, "i1", "s1", 17, "peer.join.success", "r", "s1", "p", 0, 0, "", "", BODY)


def recipes(language: str) -> list[str]:
    """The code on the page that is in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def recipe(language: str, part: str) -> str:
    """The one that has this part."""
    (found,) = [code for code in recipes(language) if part in code]
    return found


def some_endpoint() -> Endpoint:
    wanted = EndpointRequest(url="http://localhost/hook", schemes=["v1", "v1a"])
    return new_endpoint(wanted, "e1", RANDOM, time.time_ns())


def rendered(endpoint: Endpoint, seconds_ago: float = 0) -> bytes:
    return Renderer(endpoint).render(EVENT, b"s1", time.time_ns() - int(seconds_ago * NANOSECONDS))


def answered(port: int, request: bytes) -> tuple[int, str]:
    """The status and body that are answered to the bytes of a request."""
    with socket.create_connection(("localhost", port), timeout=30) as connection:
        connection.sendall(request)
        response = HTTPResponse(connection)
        response.begin()
        return response.status, response.read().decode()


class NodeReceiver:
    """The page's receiver, in a process of its own."""

    def __init__(self, node: str, folder: Path, keys: list[str]) -> None:
        module, receiver = recipe("js", "export function verify"), recipe("js", "createServer(")
        (folder / "verify.mjs").write_text(module)
        (folder / "receiver.mjs").write_text(receiver)
        environment = {"CALLBOARD_KEYS": " ".join(keys), "PORT": "0"}
        self.process = subprocess.Popen(
            [node, "receiver.mjs"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.port = int(self.line().removeprefix("listening on "))

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=30)


@pytest.fixture
def start_node(tmp_path: Path) -> Iterator[Callable[[list[str]], NodeReceiver]]:
    """Starts the page's receiver with these keys."""
    node = shutil.which("node")
    assert node is not None, "Node is needed (Debian's package nodejs)"
    started: list[NodeReceiver] = []

    def start(keys: list[str]) -> NodeReceiver:
        started.append(NodeReceiver(node, tmp_path, keys))
        return started[-1]

    yield start
    for receiver in started:
        receiver.stop()


@pytest.mark.parametrize("scheme", [0, 1])
def test_node_verifies_either_scheme_during_a_rotation_and_refuses_everything_else(
    start_node: Any, scheme: int
) -> None:
    endpoint = some_endpoint()
    key = endpoint.keys[scheme]
    receiver = start_node(["whsec_" + "A" * 32, key.public_key or key.text])
    assert answered(receiver.port, rendered(endpoint)) == (204, "")
    assert receiver.line() == "17 peer.join.success"
    rotated = rotated_endpoint(endpoint, 60, RANDOM, time.time_ns())
    assert answered(receiver.port, rendered(rotated)) == (204, "")
    without = rotated_endpoint(endpoint, 0, RANDOM, time.time_ns())
    refused = {
        rendered(without): "no signature matches",
        rendered(some_endpoint()): "no signature matches",
        rendered(endpoint).replace(b'"guest"', b'"host!"'): "no signature matches",
        rendered(endpoint, seconds_ago=400): "s from our clock",
        rendered(endpoint, seconds_ago=-400): "s from our clock",
        rendered(endpoint).replace(b"webhook-id", b"webhook-no"): "is missing or wrong",
        rendered(endpoint).replace(b"webhook-timestamp: ", b"webhook-timestamp: x"): "is missing or wrong",
    }
    for request, reason in refused.items():
        status, text = answered(receiver.port, request)
        assert status == 400
        assert reason in text
    first_spoilt = rendered(endpoint).replace(b"webhook-signature: v1,", b"webhook-signature: v1,A")
    assert answered(receiver.port, first_spoilt)[0] == (400, 204)[scheme], "the other signature is as good as before"


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def wsgi(app: Any) -> Iterator[int]:
    with make_server("127.0.0.1", 0, app, handler_class=QuietHandler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join(30)


@contextmanager
def asgi(app: Any) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:  # whoever connects before it serves is kept waiting
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(30)


@pytest.fixture
def own_logging() -> Iterator[None]:
    """An application may set up logging for its process (Litestar's does): not for the tests after this one."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in [one for one in root.handlers if one not in handlers]:
        root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.usefixtures("own_logging")
@pytest.mark.parametrize(("framework", "served"), [("fastapi", asgi), ("litestar", asgi), ("flask", wsgi)])
def test_the_applications_for_frameworks_receive(
    framework: str, served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint = some_endpoint()
    monkeypatch.setenv("CALLBOARD_SECRET", endpoint.secrets[0])
    name = f"receiver_with_{framework}"
    (tmp_path / f"{name}.py").write_text(recipe("python", f"from {framework} import"))
    monkeypatch.syspath_prepend(tmp_path)
    with served(importlib.import_module(name).app) as port:
        assert answered(port, rendered(endpoint)) == (204, "")
        assert answered(port, rendered(some_endpoint()))[0] == 400
    assert "17 peer.join.success" in capsys.readouterr().out


def test_the_plain_recipes_run(capsys: pytest.CaptureFixture[str]) -> None:
    endpoint = some_endpoint()
    head, _, body = rendered(endpoint).partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    scope: dict[str, Any] = {"headers": headers, "body": body, "secret": endpoint.secrets[0]}
    for part in ("import receive\n", "import receive_all", "import Deduplicator", "import diagnose"):
        exec(compile(recipe("python", part), part, "exec", dont_inherit=True), scope)
    scope["handle"](scope["event"])
    scope["handle"](scope["event"])
    printed = capsys.readouterr().out
    assert printed.count("for the first time: peer.join.success") == 1
    assert printed.count("ok    ") == 5
    assert "peer.join.success s1 17" in printed


def test_every_recipe_in_python_is_python() -> None:
    for code in recipes("python"):
        compile(code, "recipe", "exec", dont_inherit=True)


def test_the_sample_of_public_keys_is_one() -> None:
    (sampled,) = recipes("json")
    (key,) = msgspec.json.decode(sampled)["keys"]
    assert set(key) == set(PublicKey.__struct_fields__)
    assert thumbprint(key["x"]) == key["kid"]
    assert base64.urlsafe_b64decode(key["x"] + "=") == base64.b64decode(key["whpk"].removeprefix("whpk_"))
    assert consumer.public_keys(sampled.encode(), key["endpoint_id"]) == [key["whpk"]]


def test_every_error_is_on_the_page() -> None:
    errors = [
        name
        for name in consumer.__all__
        if isinstance(value := getattr(consumer, name), type) and issubclass(value, Exception)
    ]
    assert len(errors) >= 10
    for name in errors:
        if name != "VerificationError":
            assert f"`{name}`" in PAGE, name
