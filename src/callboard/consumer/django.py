"""For Django.

Owns: `webhook`, a decorator of views, synchronous or asynchronous ones:

    @webhook(lambda: settings.CALLBOARD_SECRETS)
    def hook(request, event):
        return HttpResponse(status=204)
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

from callboard.consumer.adapting import Secrets, received
from callboard.consumer.errors import ConsumerError

View = Callable[..., Any]


def webhook(secrets: Secrets) -> Callable[[View], View]:
    """Calls the view with the request and its verified event; without one, answers 400 and the reason. Only POST is
    allowed, and no CSRF token is asked for: the signature takes its place.
    """

    def decorated(view: View) -> View:
        def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            try:
                event = received(request.headers.items(), request.body, secrets)
            except ConsumerError as error:
                return HttpResponseBadRequest(str(error), content_type="text/plain")
            return view(request, event, *args, **kwargs)

        async def awaited(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            answer = answered(request, *args, **kwargs)
            return answer if isinstance(answer, HttpResponse) else await answer

        whole: View = csrf_exempt(require_POST(wraps(view)(awaited if iscoroutinefunction(view) else answered)))
        return whole

    return decorated
