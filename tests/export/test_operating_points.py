"""Operating points: the threshold does what its name says, on these very recordings."""

import numpy as np
import pytest

from earlet_export.operating_points import operating_points, points_table
from earlet_export.report_pictures import Scores


def scores(*, recordings: int = 400, ties: bool = False) -> Scores:
    rng = np.random.default_rng(3)
    positive = np.arange(recordings) % 2 == 0
    found = np.where(positive, 1.0, -1.0) + rng.normal(size=recordings)
    if ties:
        found = np.round(found)
    return Scores(
        by_rung={"fp32": found},
        is_positive=positive,
        positive="spoof",
        threshold=0.25,
        data="nothing",
        groups=tuple(f"voice {i // 8}" for i in range(recordings)),
    )


@pytest.mark.parametrize("ties", [False, True])
def test_a_point_keeps_what_it_is_named_after(ties: bool) -> None:
    found = {point.name: point for point in operating_points(scores(ties=ties), rung="fp32")}
    assert list(found) == [
        "as shipped",
        "1 % false alarms",
        "5 % false alarms",
        "5 % missed",
    ]
    assert found["as shipped"].threshold == 0.25
    assert found["1 % false alarms"].false_alarm.value <= 0.01
    assert found["5 % false alarms"].false_alarm.value <= 0.05
    assert found["5 % missed"].miss.value <= 0.05
    if not ties:
        assert found["5 % false alarms"].false_alarm.value == pytest.approx(0.05)
        assert found["5 % missed"].miss.value == pytest.approx(0.05)


def test_rates_are_those_of_the_threshold_and_lie_in_their_intervals() -> None:
    given = scores()
    for point in operating_points(given, rung="fp32"):
        above = given.by_rung["fp32"] >= point.threshold
        assert point.miss.value == pytest.approx(np.mean(~above[given.is_positive]))
        assert point.false_alarm.value == pytest.approx(np.mean(above[~given.is_positive]))
        for rate in (point.miss, point.false_alarm):
            assert rate.low is not None
            assert rate.high is not None
            assert rate.low <= rate.value <= rate.high


def test_a_rate_that_so_few_cannot_show_is_left_out() -> None:
    names = [point.name for point in operating_points(scores(recordings=60), rung="fp32")]
    assert names == ["as shipped", "5 % false alarms", "5 % missed"]


def test_the_table_names_the_label() -> None:
    text = points_table(operating_points(scores(), rung="fp32"), positive="spoof")
    assert "`spoof` missed" in text
    assert "| as shipped | +0.250 |" in text
