"""Whether Callboard sent it, and if that cannot be said, why.

Owns: `verify`, `diagnose`, and the checks that both are made of, so that they never disagree.

Always holds: `verify` returns only if a key that was given signed id, timestamp and body, and the timestamp is within
the tolerance of the clock (Standard Webhooks 1.0.0, "Verifying signatures").
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from callboard.consumer import headers as reading
from callboard.consumer.errors import (
    BodyChanged,
    ClockOff,
    Part,
    SecretMismatch,
    UnknownScheme,
    VerificationError,
)
from callboard.consumer.headers import Delivery, Fields, Headers, fields_of
from callboard.consumer.tampering import originals
from callboard.webhooks.keys_text import InvalidSecret
from callboard.webhooks.signing import TOLERANCE, Verifier


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one part of a delivery: `text` says it, `error` is there if it is wrong."""

    part: Part
    text: str
    error: VerificationError | InvalidSecret | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.error is None


def verify(
    headers: Headers,
    body: bytes,
    secrets: str | Sequence[str],
    *,
    tolerance_seconds: float = TOLERANCE,
    now: float | None = None,
) -> None:
    """Return if Callboard sent this to an endpoint with one of these `secrets`: `whsec_…`, or `whpk_…` public keys.

    `headers` may be in any case; `body` are the bytes as they came; `now` is in seconds since the epoch, by default the
    time. Raises `VerificationError`, whose class says what is wrong; `InvalidSecret` for a secret that is none;
    `TypeError` for a body that is not bytes.
    """
    verify_fields(fields_of(headers), body, secrets, tolerance_seconds, now)


def verify_fields(
    fields: Fields, body: bytes, secrets: str | Sequence[str], tolerance_seconds: float, now: float | None
) -> None:
    """`verify`, of headers that were read already."""
    verifiers = [Verifier(text.strip()) for text in _listed(secrets)]
    if not verifiers:
        raise InvalidSecret("at least one secret is needed")
    for finding in _examine(fields, _raw(body), verifiers, tolerance_seconds, time.time() if now is None else now):
        if finding.error is not None:
            raise finding.error


def diagnose(
    headers: Headers,
    body: bytes,
    secrets: str | Sequence[str],
    now: float,
    *,
    tolerance_seconds: float = TOLERANCE,
) -> list[Finding]:
    """Everything that can be said about a delivery, what is right and what is wrong: about secrets that are none, the
    headers, the clock, the scheme, the secret, the body. What cannot be judged because something else is wrong is left
    out.

    The arguments are those of `verify`, which raises the first error in this list. Raises `TypeError` as it does.
    """
    findings: list[Finding] = []
    verifiers = []
    for number, text in enumerate(_listed(secrets), 1):
        try:
            verifiers.append(Verifier(text.strip()))
        except InvalidSecret as error:
            findings.append(Finding("secret", f"secret {number} {error}", error))
    return findings + list(_examine(fields_of(headers), _raw(body), verifiers, tolerance_seconds, now))


def _examine(
    fields: Fields, body: bytes, verifiers: Sequence[Verifier], tolerance: float, now: float
) -> Iterator[Finding]:
    wrong = list(reading.problems(fields))
    yield from map(_failed, wrong)
    if not wrong:
        yield Finding("headers", f"{reading.ID}, {reading.TIMESTAMP} and {reading.SIGNATURE} are there")
    timestamp = reading.timestamp_of(fields)
    if timestamp is not None:
        yield _clock(timestamp - now, tolerance)
    if wrong or not verifiers:
        return
    delivery = reading.delivery_of(fields)
    usable = tuple(dict.fromkeys(verifier.scheme for verifier in verifiers))
    if not set(usable) & set(delivery.schemes):
        yield _failed(UnknownScheme(delivery.schemes, usable))
        return
    yield Finding("scheme", f"signed with {', '.join(delivery.schemes)}")
    yield from _signature(delivery, fields, body, verifiers)


def _clock(ahead: float, tolerance: float) -> Finding:
    if abs(ahead) <= tolerance:
        return Finding("clock", f"webhook-timestamp is {abs(ahead):.0f} seconds {'ahead' if ahead > 0 else 'old'}")
    return _failed(ClockOff(ahead, tolerance))


def _signature(delivery: Delivery, fields: Fields, body: bytes, verifiers: Sequence[Verifier]) -> Iterator[Finding]:
    """Whether a key and the body are right: a signature tells both, or neither."""
    number = _matching(delivery, body, verifiers)
    how = "" if number else _length_problem(fields, body)
    if not number:
        for how_, original in originals(body):
            if number := _matching(delivery, original, verifiers):
                how = how_
                break
    if number:
        yield Finding("secret", f"secret {number} of {len(verifiers)} is the one it was signed with")
    if how:
        yield _failed(BodyChanged(how))
    elif number:
        yield Finding("body", f"the {len(body)} bytes are those that were signed")
    else:
        yield _failed(SecretMismatch(len(verifiers)))


def _matching(delivery: Delivery, body: bytes, verifiers: Sequence[Verifier]) -> int:
    """The number (1, 2, …) of the first key that signed it with this body; 0 if none did."""
    content = b"%b.%b.%b" % (delivery.id, delivery.timestamp, body)
    matching = (number for number, one in enumerate(verifiers, 1) if one.matches(content, delivery.signatures))
    return next(matching, 0)


def _length_problem(fields: Fields, body: bytes) -> str:
    """What is wrong with a body that is not as long as was announced."""
    if not body:
        return "it is empty (was it read before? a stream can be read once)"
    announced = fields.get("content-length", [])
    if len(announced) == 1 and announced[0].isdigit() and announced[0] != str(len(body)):
        return f"it has {len(body)} bytes, and content-length says {announced[0][:20]}"
    return ""


def _failed(error: VerificationError) -> Finding:
    return Finding(error.part, str(error), error)


def _listed(secrets: str | Sequence[str]) -> Sequence[str]:
    return (secrets,) if isinstance(secrets, str) else secrets


def _raw(body: object) -> bytes:
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    raise TypeError(
        f"body must be the bytes of the request as they came, not {type(body).__name__}: what was parsed or decoded "
        "cannot be verified"
    )
