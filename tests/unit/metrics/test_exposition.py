"""Prometheus' text format, read by Prometheus' own parser."""

from __future__ import annotations

import re
from itertools import accumulate
from math import inf, isclose
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from callboard.measures import SECONDS, Histogram
from callboard.metrics.exposition import Samples
from callboard.metrics.names import METRICS, Name

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), max_size=20)


def test_every_name_is_described_once_and_no_other() -> None:
    assert [metric.name for metric in METRICS] == list(get_args(Name))
    for name, kind, says, labels, _ in METRICS:
        assert name.endswith("_total") == (kind == "counter"), name
        assert says.endswith("."), name
        assert "\n" not in says
        for label in labels:
            assert re.fullmatch(r"[a-z]+", label)


@given(TEXT, st.floats(0, 1e12), TEXT)
def test_whatever_a_label_says_it_is_read_back(label: str, value: float, other: str) -> None:
    samples = Samples()
    samples.set("callboard_webhook_attempts_total", value, label, other)
    (family,) = text_string_to_metric_families(samples.text())
    (sample,) = family.samples
    assert (family.name, family.type) == ("callboard_webhook_attempts", "counter")
    assert sample.labels == {"endpoint": label, "outcome": other}
    assert sample.value == value


def test_each_series_is_written_once_below_its_help_and_type() -> None:
    samples = Samples()
    for endpoint, value in (("a", 1), ("b", 2), ("a", 3)):
        samples.set("callboard_webhook_pending_events", value, endpoint)
    assert samples.text() == (
        "# HELP callboard_webhook_pending_events Events that are not delivered yet.\n"
        "# TYPE callboard_webhook_pending_events gauge\n"
        'callboard_webhook_pending_events{endpoint="a"} 3\n'
        'callboard_webhook_pending_events{endpoint="b"} 2\n'
    )


def test_a_wrong_number_of_labels_is_an_error() -> None:
    with pytest.raises(ValueError, match="has the labels"):
        Samples().set("callboard_webhook_pending_events", 1)


@given(st.lists(st.one_of(st.floats(0, 4000), st.sampled_from(SECONDS))))
def test_a_histogram_counts_what_is_at_most_each_bound(values: list[float]) -> None:
    histogram, samples = Histogram(), Samples()
    for value in values:
        histogram.add(value)
    samples.histogram("callboard_webhook_receipt_seconds", histogram)
    (family,) = text_string_to_metric_families(samples.text())
    buckets = {float(one.labels["le"]): one.value for one in family.samples if one.name.endswith("_bucket")}
    assert buckets == {bound: sum(value <= bound for value in values) for bound in (*SECONDS, inf)}
    others = {one.name.rpartition("_")[2]: one.value for one in family.samples if not one.name.endswith("_bucket")}
    assert others["count"] == len(values) == histogram.count
    assert isclose(others["sum"], sum(values))
    assert list(accumulate(histogram.counts)) == list(buckets.values())
