"""The adapters, each within its real framework behind a real server, sent the very bytes that the dispatcher sends."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import Any, ClassVar
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django  # type: ignore[import-untyped]  # Django has no types
import fastapi
import flask
import litestar
import msgspec
import pytest
import starlette.applications
import starlette.responses
import starlette.routing
import uvicorn
from django.conf import settings as django_settings  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.core.wsgi import get_wsgi_application  # type: ignore[import-untyped]
from django.http import HttpResponse  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]
from litestar.di import NamedDependency
from msgspec.structs import replace

import callboard.consumer.django
import callboard.consumer.flask
import callboard.consumer.litestar
import callboard.consumer.starlette
from callboard.clock import NANOSECONDS
from callboard.consumer import Event
from callboard.events import PeerJoinSuccess, sample
from callboard.ledger import Recorded
from callboard.webhooks.endpoint import Endpoint, EndpointRequest, new_endpoint
from callboard.webhooks.request import Renderer

RANDOM = random.Random(7).randbytes


def _body(id_: str) -> bytes:
    return msgspec.json.encode({**sample("peer.join.success"), "id": id_})


EVENT = Recorded(1, "i1", "s1", 17, "peer.join.success", "r", "s1", "p", 0, 0, "", "", _body("i1"))


@dataclass
class Backend:
    """Somebody's application: what its handler was given, and the secrets it asks for at each delivery."""

    secrets: list[str] = field(default_factory=list)
    events: list[Event[Any]] = field(default_factory=list)
    batches: list[list[Event[Any]]] = field(default_factory=list)
    port: int = 0

    def known(self) -> list[str]:
        return self.secrets


def fastapi_app(backend: Backend) -> Any:
    app = fastapi.FastAPI()
    received = fastapi.Depends(callboard.consumer.starlette.events(backend.known))

    @app.post("/hook", status_code=204)
    async def hook(event: Any = received) -> None:
        backend.events.append(event)

    several = fastapi.Depends(callboard.consumer.starlette.batches(backend.known))

    @app.post("/batches", status_code=204)
    async def batches(events: Any = several) -> None:
        backend.batches.append(events)

    return app


def starlette_app(backend: Backend) -> Any:
    received = callboard.consumer.starlette.events(backend.known)

    async def hook(request: Any) -> Any:
        backend.events.append(await received(request))
        return starlette.responses.Response(status_code=204)

    several = callboard.consumer.starlette.batches(backend.known)

    async def batches(request: Any) -> Any:
        backend.batches.append(await several(request))
        return starlette.responses.Response(status_code=204)

    routes = {"/hook": hook, "/batches": batches}
    return starlette.applications.Starlette(
        routes=[starlette.routing.Route(at, each, methods=["POST"]) for at, each in routes.items()]
    )


def litestar_app(backend: Backend) -> Any:
    event_of = callboard.consumer.litestar.events(backend.known)

    @litestar.post("/hook", status_code=204, dependencies={"event": event_of})
    async def hook(event: NamedDependency[Event[Any]]) -> None:
        backend.events.append(event)

    events_of = callboard.consumer.litestar.batches(backend.known)

    @litestar.post("/batches", status_code=204, dependencies={"events": events_of})
    async def batches(events: NamedDependency[list[Event[Any]]]) -> None:
        backend.batches.append(events)

    return litestar.Litestar([hook, batches], logging_config=None)


def flask_app(backend: Backend) -> Any:
    app = flask.Flask("receiver")
    received = callboard.consumer.flask.events(backend.known)

    @app.post("/hook")
    def hook() -> Any:
        backend.events.append(received())
        return "", 204

    several = callboard.consumer.flask.batches(backend.known)

    @app.post("/batches")
    def batches() -> Any:
        backend.batches.append(several())
        return "", 204

    return app


class DjangoProject:
    """Django has one project to a process: its routes are looked up in these, its views serve `backend`."""

    backend: Backend
    urlpatterns: ClassVar[list[Any]] = []

    @classmethod
    def secrets(cls) -> list[str]:
        return cls.backend.known()


@callboard.consumer.django.webhook(DjangoProject.secrets)
def django_view(request: Any, event: Any) -> Any:
    assert request.method == "POST"
    DjangoProject.backend.events.append(event)
    return HttpResponse(status=204)


@callboard.consumer.django.webhook(DjangoProject.secrets)
async def django_async_view(request: Any, event: Any) -> Any:
    assert request.method == "POST"
    DjangoProject.backend.events.append(event)
    return HttpResponse(status=204)


@callboard.consumer.django.batch_webhook(DjangoProject.secrets)
def django_batches(request: Any, events: Any) -> Any:
    assert request.method == "POST"
    DjangoProject.backend.batches.append(events)
    return HttpResponse(status=204)


@callboard.consumer.django.batch_webhook(DjangoProject.secrets)
async def django_async_batches(request: Any, events: Any) -> Any:
    assert request.method == "POST"
    DjangoProject.backend.batches.append(events)
    return HttpResponse(status=204)


def django_project(backend: Backend, view: Any, batches: Any) -> None:
    DjangoProject.backend = backend
    DjangoProject.urlpatterns[:] = [path("hook", view), path("batches", batches)]
    if not django_settings.configured:
        csrf = "django.middleware.csrf.CsrfViewMiddleware"
        django_settings.configure(
            ROOT_URLCONF=DjangoProject, ALLOWED_HOSTS=["localhost"], SECRET_KEY="x", MIDDLEWARE=[csrf]
        )
        django.setup()
    django.urls.clear_url_caches()


def django_app(backend: Backend) -> Any:
    django_project(backend, django_view, django_batches)
    return get_wsgi_application()


def django_async_app(backend: Backend) -> Any:
    django_project(backend, django_async_view, django_async_batches)
    return get_asgi_application()


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def wsgi(app: Any) -> Iterator[int]:
    """Serve a WSGI application."""
    with make_server("127.0.0.1", 0, app, handler_class=QuietHandler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join(30)


class Server(uvicorn.Server):
    """uvicorn that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@contextmanager
def asgi(app: Any) -> Iterator[int]:
    """Serve an ASGI application."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, http="httptools"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            assert server.listening.wait(30)
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(30)


FRAMEWORKS: dict[str, tuple[Callable[[Backend], Any], Callable[[Any], Any]]] = {
    "fastapi": (fastapi_app, asgi),
    "starlette": (starlette_app, asgi),
    "litestar": (litestar_app, asgi),
    "flask": (flask_app, wsgi),
    "django": (django_app, wsgi),
    "django async": (django_async_app, asgi),
}


@pytest.fixture(params=FRAMEWORKS)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """The application in each framework, served."""
    made, served = FRAMEWORKS[request.param]
    backend = Backend()
    with served(made(backend)) as backend.port:
        yield backend


def endpoint_for(backend: Backend, at: str = "/hook") -> Endpoint:
    """An endpoint whose keys the application knows."""
    wanted = EndpointRequest(url=f"http://localhost:{backend.port}{at}", schemes=["v1", "v1a"])
    endpoint = new_endpoint(wanted, "e1", RANDOM, 0)
    backend.secrets = [endpoint.keys[0].text]
    return endpoint


def rendered(endpoint: Endpoint, seconds_ago: float = 0, event: Recorded = EVENT) -> bytes:
    return Renderer(endpoint).render(event, b"s1", time.time_ns() - int(seconds_ago * NANOSECONDS))


def answered(backend: Backend, request: bytes) -> tuple[int, str]:
    """The status and body that are answered to the bytes of a request."""
    with socket.create_connection(("127.0.0.1", backend.port), timeout=30) as connection:
        connection.sendall(request)
        response = HTTPResponse(connection)
        response.begin()
        return response.status, response.read().decode()


def test_a_delivery_is_a_typed_event(backend: Backend) -> None:
    assert answered(backend, rendered(endpoint_for(backend))) == (204, "")
    (event,) = backend.events
    assert (event.id, event.type, event.stream, event.seq) == ("i1", "peer.join.success", "s1", 17)
    assert isinstance(event.data, PeerJoinSuccess)


def rendered_batch(endpoint: Endpoint) -> bytes:
    """The request for three events."""
    events = [replace(EVENT, id=f"i{seq}", seq=seq, body=_body(f"i{seq}")) for seq in (17, 18, 20)]
    return Renderer(endpoint).render_batch(events, b"s1", time.time_ns())


def test_a_batch_is_a_list_of_typed_events_in_their_order(backend: Backend) -> None:
    endpoint = endpoint_for(backend, "/batches")
    assert answered(backend, rendered_batch(endpoint)) == (204, "")
    (events,) = backend.batches
    assert [(event.id, event.stream, event.seq) for event in events] == [(f"i{n}", "s1", n) for n in (17, 18, 20)]
    assert all(isinstance(event.data, PeerJoinSuccess) for event in events)


def test_who_wants_batches_is_given_one_event_as_a_list_too(backend: Backend) -> None:
    assert answered(backend, rendered(endpoint_for(backend, "/batches"))) == (204, "")
    assert [[event.id for event in events] for events in backend.batches] == [["i1"]]


def test_a_batch_that_is_not_from_callboard_is_answered_why_not(backend: Backend) -> None:
    stranger = endpoint_for(backend, "/batches")
    endpoint_for(backend)
    status, text = answered(backend, rendered_batch(stranger))
    assert status == 400
    assert "the secret does not match" in text
    assert backend.batches == []


def test_who_wants_one_event_is_told_how_batches_are_read(backend: Backend) -> None:
    status, text = answered(backend, rendered_batch(endpoint_for(backend)))
    assert status == 400
    assert "a batch of 3 events" in text
    assert "`batches`" in text


def test_a_public_key_is_enough_and_secrets_are_asked_for_each_time(backend: Backend) -> None:
    endpoint = endpoint_for(backend)
    backend.secrets = [endpoint.keys[1].public_key]
    assert answered(backend, rendered(endpoint))[0] == 204
    backend.secrets = endpoint_for(backend).secrets[:1]  # type: ignore[assignment]  # any sequence will do
    assert answered(backend, rendered(endpoint))[0] == 400
    assert len(backend.events) == 1


def test_who_does_not_know_the_secret_is_answered_why_not(backend: Backend) -> None:
    stranger = endpoint_for(backend)
    endpoint_for(backend)
    status, text = answered(backend, rendered(stranger))
    assert status == 400
    assert "the secret does not match" in text
    assert backend.events == []


def test_an_old_delivery_is_answered_by_how_much_it_is_too_old(backend: Backend) -> None:
    status, text = answered(backend, rendered(endpoint_for(backend), seconds_ago=1000))
    assert status == 400
    assert "seconds behind this clock, and 300 are allowed" in text


def test_a_request_that_is_no_delivery_is_answered_what_is_missing(backend: Backend) -> None:
    endpoint_for(backend)
    request = b"POST /hook HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    status, text = answered(backend, request)
    assert status == 400
    assert "the header webhook-id is missing" in text


def test_an_event_that_this_version_does_not_know_is_answered_so(backend: Backend) -> None:
    event = replace(EVENT, body=b'{"type":"peer.jump.success"}')
    status, text = answered(backend, rendered(endpoint_for(backend), event=event))
    assert status == 400
    assert "unknown event type" in text


def test_only_post_is_a_delivery(backend: Backend) -> None:
    assert answered(backend, b"GET /hook HTTP/1.1\r\nhost: localhost\r\n\r\n")[0] == 405
    assert backend.events == []
