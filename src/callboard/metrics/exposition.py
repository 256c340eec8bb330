"""Prometheus' text format, version 0.0.4. Pure.

Owns: `Samples`, which collects values under the names that there are, and writes them.

Always holds: what is written has each metric's help and type once, before its values; each series once; and no name or
label that is not in `METRICS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from math import inf

from callboard.measures import Histogram
from callboard.metrics.names import METRICS, Name

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Samples:
    """Values by metric and by its labels' values."""

    def __init__(self) -> None:
        self._labels = {metric.name: metric.labels for metric in METRICS}
        self._values: dict[str, dict[tuple[str, ...], float]] = {}
        self._histograms: dict[str, Histogram] = {}

    def set(self, name: Name, value: float, *labels: str) -> None:
        """The value of one series. Raises `ValueError` for the wrong number of labels."""
        if len(labels) != len(self._labels[name]):
            raise ValueError(f"{name} has the labels {self._labels[name]}")
        self._values.setdefault(name, {})[labels] = value

    def histogram(self, name: Name, histogram: Histogram) -> None:
        """The values of a histogram, as they are when they are written."""
        self._histograms[name] = histogram

    def text(self) -> str:
        """All of them, metric by metric. One without a value is left out."""
        return "".join(f"{line}\n" for metric in METRICS for line in self._lines(metric.name, metric.kind, metric.says))

    def _lines(self, name: Name, kind: str, says: str) -> Iterator[str]:
        lines: Iterable[str]
        if name in self._histograms:
            lines = _histogram_lines(name, self._histograms[name])
        elif name in self._values:
            lines = (_line(name, self._labels[name], *series) for series in self._values[name].items())
        else:
            return
        yield f"# HELP {name} {says}"
        yield f"# TYPE {name} {kind}"
        yield from lines


def _line(name: str, labels: tuple[str, ...], values: tuple[str, ...], value: float) -> str:
    pairs = ",".join(f'{label}="{text.translate(_ESCAPES)}"' for label, text in zip(labels, values, strict=True))
    return f"{name}{{{pairs}}} {_number(value)}" if pairs else f"{name} {_number(value)}"


def _histogram_lines(name: str, histogram: Histogram) -> Iterator[str]:
    counts = list(accumulate(tuple(histogram.counts)))
    for bound, count in zip((*histogram.bounds, inf), counts, strict=True):
        yield f'{name}_bucket{{le="{_number(bound)}"}} {count}'
    yield f"{name}_sum {_number(histogram.sum)}"
    yield f"{name}_count {counts[-1]}"


def _number(value: float) -> str:
    if value == inf:
        return "+Inf"
    return str(int(value)) if value == int(value) else repr(value)
