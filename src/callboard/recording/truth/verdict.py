"""Whether a measured recording is good: each gate that it missed, as a sentence.

Owns: `judge`. Pure.

Always holds: what could not be measured, though the file or the expectation says that it is there, is a failure too.
"""

from __future__ import annotations

from collections.abc import Iterator

from callboard.recording.truth.report import Duration, Expected, Gates, Picture, Publisher, Report, Sound


def judge(report: Report, expected: Expected, gates: Gates) -> list[str]:
    """The failures; none for a good recording."""
    if not report.publishers:
        return ["No truth marks were found in it, neither in its picture nor in its sound: it cannot be judged."]
    return [
        *_media(report),
        *_attendance(report, expected),
        *_duration(report.duration, gates),
        *(failure for publisher in report.publishers for failure in _publisher(publisher, gates)),
        *_participants(report, gates),
    ]


def _media(report: Report) -> Iterator[str]:
    if report.has_picture and not any(publisher.picture for publisher in report.publishers):
        yield "The file has a picture, but no truth marks were found in it."
    if report.has_sound and not any(publisher.sound for publisher in report.publishers):
        yield "The file has sound, but no truth marks were found in it."


def _attendance(report: Report, expected: Expected) -> Iterator[str]:
    found = {publisher.publisher: publisher for publisher in report.publishers}
    sent = {published.publisher: published for published in expected.published}
    for number, published in sorted(sent.items()):
        publisher = found.get(number, Publisher(publisher=number))
        if published.picture and publisher.picture is None:
            yield f"Publisher {number}: published a picture, which is not in the file."
        if published.sound and publisher.sound is None:
            yield f"Publisher {number}: published sound, which is not in the file."
    for number, publisher in sorted(found.items()):
        if sent and publisher.picture and not (number in sent and sent[number].picture):
            yield f"Publisher {number}: is seen in the file, but published no picture."
        if sent and publisher.sound and not (number in sent and sent[number].sound):
            yield f"Publisher {number}: is heard in the file, but published no sound."


def _duration(duration: Duration, gates: Gates) -> Iterator[str]:
    limit = gates.duration_error
    if duration.error is not None and abs(duration.error) > limit:
        what = (
            "between its first and last mark it takes"
            if duration.expected is None
            else f"it holds {duration.decoded:.2f} s, expected are {duration.expected:.2f} s:"
        )
        more = "too long" if duration.error > 0 else "too short"
        yield f"Duration: {what} {abs(duration.error):.2f} s {more}, allowed are {limit:g} s."
    if duration.container is not None and abs(duration.container - duration.decoded) > limit:
        yield (
            f"Duration: the file says that it lasts {duration.container:.2f} s, "
            f"but {duration.decoded:.2f} s could be decoded."
        )


def _publisher(publisher: Publisher, gates: Gates) -> Iterator[str]:
    name = f"Publisher {publisher.publisher}"
    for what, medium in (("picture", publisher.picture), ("sound", publisher.sound)):
        if medium is not None:
            yield from _medium(f"{name}, {what}", medium, gates)
    if publisher.skew is not None and publisher.skew.p95_ms > gates.skew_p95_ms:
        side = "later" if publisher.skew.p50_ms > 0 else "earlier"
        yield (
            f"{name}: 95 % of its sound is within {publisher.skew.p95_ms:.0f} ms of its picture "
            f"(mostly {side}), allowed are {gates.skew_p95_ms:g} ms."
        )
    if publisher.skew is None and publisher.picture and publisher.sound:
        yield f"{name}: picture and sound are never there together, so their skew cannot be measured."


def _medium(name: str, medium: Picture | Sound, gates: Gates) -> Iterator[str]:
    if medium.presence < gates.presence:
        yield (
            f"{name}: {100 * medium.presence:.2f} % of what was published is in the file, "
            f"needed are {100 * gates.presence:g} %."
        )
    error = medium.start_offset_error_ms
    if error is not None and abs(error) > gates.start_offset_error_ms:
        side = "late" if error > 0 else "early"
        yield f"{name}: starts {abs(error):.0f} ms too {side}, allowed are {gates.start_offset_error_ms:g} ms."


def _participants(report: Report, gates: Gates) -> Iterator[str]:
    limit, skew = gates.participants_p95_ms, report.participants
    if limit is not None and skew is not None and skew.p95_ms > limit:
        yield f"Participants are {skew.p95_ms:.0f} ms apart (p95), allowed are {limit:g} ms."
