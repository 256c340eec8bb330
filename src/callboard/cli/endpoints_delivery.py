"""How an endpoint is sent to, as it is said on the command line: `--delivery concurrency=4 --delivery batch.events=20`.

Owns: `Deliveries` (the option), `delivery_of`, `delivery_text`.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from callboard.webhooks.manner import Manner

Deliveries = Annotated[
    list[str] | None,
    typer.Option(
        "--delivery",
        metavar="NAME=VALUE",
        help=f"How it is sent to: {', '.join(Manner.__struct_fields__)}; batch.events, … of a batch, batch=null for"
        " none. Repeatable.",
    ),
]


def delivery_of(pairs: list[str] | None, now: dict[str, Any]) -> dict[str, Any] | None:
    """What `now` becomes with the pairs that were given; None if none were. What is allowed the server knows.

    Raises `typer.BadParameter` for what is no pair.
    """
    if not pairs:
        return None
    delivery = dict(now)
    for pair in pairs:
        name, equals, text = pair.partition("=")
        outer, dot, inner = name.strip().partition(".")
        if not equals or not outer or (dot and not inner):
            raise typer.BadParameter(f"must be NAME=VALUE, as ordering=none, not {pair!r}", param_hint="--delivery")
        if dot:
            delivery[outer] = {**(delivery.get(outer) or {}), inner: _value(text)}
        else:
            delivery[outer] = _value(text)
    return delivery


def delivery_text(delivery: dict[str, Any]) -> str:
    """It in a line: only what is not as usual is in there."""
    return ", ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in delivery.items()
    )


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
