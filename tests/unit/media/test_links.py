"""Links: what is lost on them, what is sent on a bad one, what the client is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.media.contract import LayerUpdate
from callboard.media.degradation import HIGH, LOW, MEDIUM, NONE, Degradation, DegradePolicy, Picture
from callboard.media.layerreport import LayerReport, Shown, name_of
from callboard.media.linkstats import Flow, LossWindow, flows_of, score

ANN, BEN, CAM = ("ann", "v"), ("ben", "v"), ("cam", "v")


def window(*samples: dict[str, tuple[int, int]]) -> LossWindow:
    found = LossWindow()
    for sample in samples:
        found.add({mid: Flow(packets, lost) for mid, (packets, lost) in sample.items()})
    return found


def test_flows_are_read_out_of_what_janus_says_of_a_handle() -> None:
    report = {"main": {"rtt": 40, "lost": 0, "lost-by-remote": 16}}
    info: dict[str, Any] = {
        "webrtc": {"media": {"0": {"rtcp": report, "stats": {"out": {"packets": 235}}}, "1": {"type": "data"}}}
    }
    assert flows_of(info) == {"0": Flow(235, 16, 0.04)}
    assert flows_of({}) == {}


def test_loss_is_worked_out_between_the_first_and_the_last_sample_of_the_window() -> None:
    assert window({"0": (100, 5)}).loss({"0": "ann"}) is None
    assert window({"0": (100, 5)}, {"0": (200, 30)}).loss({"0": "ann"}) == 25.0
    assert window({"0": (100, 5)}, {"0": (110, 10)}).loss({"0": "ann"}) is None, "too little was sent to tell"
    assert not window({"0": (100, 5)}, {"0": (200, 30)}).telling, "reports come late"
    assert window({"0": (100, 5)}, {"0": (200, 30)}, {"0": (300, 60)}).telling
    old = [{"0": (100 * n, 50 * n)} for n in range(3)]
    assert window(*old, *({"0": (200 + 100 * n, 100)} for n in range(1, 5))).loss({"0": "ann"}) == 0.0


def test_what_one_publisher_loses_on_its_way_to_us_is_not_the_loss_of_the_one_who_receives() -> None:
    both = window({"0": (0, 0), "1": (0, 0), "2": (0, 0)}, {"0": (100, 60), "1": (100, 60), "2": (100, 1)})
    assert both.loss({"0": "ann", "1": "ann", "2": "ben"}) == 1.0
    assert both.loss({"0": "ann", "1": "ann"}) == 60.0


def test_sections_that_came_or_went_or_began_anew_are_left_out() -> None:
    assert window({"0": (500, 400)}, {"0": (20, 0), "1": (300, 0)}).loss({"0": "ann", "1": "ben"}) is None


@pytest.mark.parametrize(
    ("loss", "seconds", "value"),
    [(0, 0.0, 5), (0.5, 0.2, 4), (2, 0.1, 4), (5, 0.1, 3), (15, 0.1, 2), (0, 3.0, 1), (30, 0.1, 1), (60, 0.1, 0)],
)
def test_the_score_goes_down_with_loss_and_round_trip(loss: float, seconds: float, value: int) -> None:
    assert score(loss, seconds) == value


def degraded(*pictures: Picture, policy: DegradePolicy | None = None) -> Driven:
    return Driven(Degradation(policy), pictures)


class Driven:
    """A degradation, a clock that goes a second with each measurement, and pictures as they are sent."""

    def __init__(self, degradation: Degradation, wanted: tuple[Picture, ...]) -> None:
        self.degradation = degradation
        self.wanted = wanted
        self.now = 0.0

    def after(self, *losses: float | None) -> dict[tuple[str, str], int]:
        for loss in losses:
            caps = self.degradation.caps
            sent = [Picture(p.key, min(p.level, caps.get(p.key, HIGH)), p.layers, p.priority) for p in self.wanted]
            self.degradation.note(loss, sent, self.now)
            self.now += 1.0
        return dict(self.degradation.caps)


def test_a_bad_link_gets_smaller_pictures_first_and_none_last() -> None:
    driven = degraded(Picture(ANN, HIGH, 3), Picture(BEN, HIGH, 1))
    assert driven.after(60) == {}, "not at once"
    assert driven.after(60) == {ANN: MEDIUM}
    assert driven.after(60) == {ANN: LOW}
    assert driven.after(60) == {ANN: NONE, BEN: NONE}
    assert driven.after(60, 60) == {ANN: NONE, BEN: NONE}


def test_the_least_important_publisher_goes_first_and_comes_back_last() -> None:
    driven = degraded(Picture(ANN, HIGH, 1, priority=1), Picture(BEN, HIGH, 1, priority=3))
    assert driven.after(60, 60) == {BEN: NONE}
    assert driven.after(60) == {ANN: NONE, BEN: NONE}
    assert driven.after(0, 0, 0, 0) == {ANN: NONE, BEN: NONE}, "not before the recovery time"
    assert driven.after(0) == {BEN: NONE}
    assert driven.after(0, 0, 0, 0) == {}


def test_a_link_that_recovers_gets_it_back_step_by_step() -> None:
    driven = degraded(Picture(ANN, HIGH, 3), policy=DegradePolicy(50, 1, 1))
    assert driven.after(60, 60, 60, 60) == {ANN: NONE}
    assert driven.after(0, 0) == {ANN: LOW}
    assert driven.after(0) == {ANN: MEDIUM}
    assert driven.after(0) == {}


def test_a_step_back_up_that_was_too_early_is_not_tried_again_as_soon() -> None:
    driven = degraded(Picture(ANN, HIGH, 1), policy=DegradePolicy(50, 1, 2))
    assert driven.after(60, 60) == {ANN: NONE}
    assert driven.after(0, 0, 0) == {}
    assert driven.after(60, 60) == {ANN: NONE}
    assert driven.after(0, 0, 0, 0) == {ANN: NONE}
    assert driven.after(0) == {}


def test_a_short_trouble_changes_nothing() -> None:
    assert degraded(Picture(ANN, HIGH, 3)).after(60, 0, 60, None, 60) == {}


def test_what_is_not_wanted_any_more_is_forgotten() -> None:
    driven = degraded(Picture(ANN, HIGH, 1), Picture(BEN, HIGH, 1))
    assert driven.after(60, 60) == {ANN: NONE, BEN: NONE}
    driven.degradation.keep([BEN])
    assert dict(driven.degradation.caps) == {BEN: NONE}


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 100)), max_size=80),
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from([1, 3]), st.integers(1, 5)), max_size=4),
)
def test_whatever_happens_a_link_that_stays_good_gets_everything_back(
    losses: list[float | None], kinds: list[tuple[int, int, int]]
) -> None:
    pictures = [Picture((f"p{i}", "v"), level, layers, prio) for i, (level, layers, prio) in enumerate(kinds)]
    driven = degraded(*pictures)
    for loss in losses:
        before = dict(driven.degradation.caps)
        after = driven.after(loss)
        worse = [key for key, level in after.items() if level < before.get(key, HIGH)]
        assert not worse or (loss is not None and loss >= 50), "nothing is taken away but for loss"
        assert all(NONE <= level < HIGH for level in after.values())
    assert driven.after(*[0.0] * 1500) == {}


def shown(
    cap: int | None, *, wanted: str = "high", layers: int = 3, asked: int | None = 2, sent: int | None = 2
) -> Shown:
    return Shown(ANN, wanted, cap, layers, asked, sent)  # type: ignore[arg-type]


def test_a_client_is_told_when_it_is_sent_less_and_when_that_is_over() -> None:
    report = LayerReport()
    assert report.updates([shown(None)], settled=True) == []
    lessened = LayerUpdate("v", "medium", "high", subscriber_degraded=True)
    assert report.updates([shown(MEDIUM)], settled=False) == [lessened]
    assert report.updates([shown(MEDIUM)], settled=True) == []
    assert report.updates([shown(NONE)], settled=False) == [LayerUpdate("v", "none", "high", subscriber_degraded=True)]
    assert report.updates([shown(None)], settled=False) == [LayerUpdate("v", "high", "high")]
    assert report.updates([shown(None)], settled=True) == []


def test_a_layer_that_its_publisher_does_not_send_is_told_once_it_does_not_come() -> None:
    report = LayerReport()
    assert report.updates([shown(None, sent=1)], settled=False) == [], "it may be on its way"
    assert report.updates([shown(None, sent=1)], settled=True) == [
        LayerUpdate("v", "medium", "high", publisher_degraded=True)
    ]
    assert report.updates([shown(None, sent=2)], settled=False) == [LayerUpdate("v", "high", "high")]


def test_who_asks_anew_is_told_again_that_it_is_sent_less() -> None:
    report = LayerReport()
    report.updates([shown(LOW)], settled=True)
    assert report.updates([shown(LOW)], settled=True) == []
    report.asked(ANN)
    assert report.updates([shown(LOW)], settled=True) == [LayerUpdate("v", "low", "high", subscriber_degraded=True)]
    report.keep([BEN])
    assert len(report.updates([shown(LOW)], settled=True)) == 1


def test_a_cap_above_what_the_client_wants_is_none_of_its_business() -> None:
    assert LayerReport().updates([shown(MEDIUM, wanted="low", asked=0, sent=0)], settled=True) == []


@pytest.mark.parametrize(
    ("substream", "layers", "name"),
    [(0, 3, "low"), (1, 3, "medium"), (2, 3, "high"), (0, 2, "medium"), (1, 2, "high"), (0, 1, "high")],
)
def test_layers_are_called_as_the_client_calls_them(substream: int, layers: int, name: str) -> None:
    assert name_of(substream, layers) == name
