"""For Django.

Owns: `webhook`, a decorator of views, synchronous or asynchronous ones, and `batch_webhook` for endpoints that want
several events in one request:

    @webhook(lambda: settings.CALLBOARD_SECRETS)
    def hook(request, event):
        return HttpResponse(status=204)

A view of `batch_webhook` is given a list of events.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from django.http import (  # type: ignore[import-untyped]  # Django has no types
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
)
from django.views.decorators.csrf import csrf_exempt  # type: ignore[import-untyped]
from django.views.decorators.http import require_POST  # type: ignore[import-untyped]

from callboard.consumer.adapting import Secrets, all_received, received
from callboard.consumer.errors import ConsumerError
from callboard.consumer.headers import Headers

View = Callable[..., Any]


def webhook(secrets: Secrets) -> Callable[[View], View]:
    """Calls the view with the request and its verified event; without one, answers 400 and the reason. Only POST is
    allowed, and no CSRF token is asked for: the signature takes its place.
    """
    return _decorator(received, secrets)


def batch_webhook(secrets: Secrets) -> Callable[[View], View]:
    """Calls the view with the request and its verified events, in their order: those of a batch, or the only one. Else
    as `webhook`.
    """
    return _decorator(all_received, secrets)


def _decorator(read: Callable[[Headers, bytes, Secrets], Any], secrets: Secrets) -> Callable[[View], View]:
    def decorated(view: View) -> View:
        def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            try:
                what = read(request.headers.items(), request.body, secrets)
            except ConsumerError as error:
                return HttpResponseBadRequest(str(error), content_type="text/plain")
            return view(request, what, *args, **kwargs)

        async def awaited(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            answer = answered(request, *args, **kwargs)
            return answer if isinstance(answer, HttpResponse) else await answer

        whole: View = csrf_exempt(require_POST(wraps(view)(awaited if iscoroutinefunction(view) else answered)))
        return whole

    return decorated
