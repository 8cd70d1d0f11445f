"""A policy is chosen of many: quickly, by the rules of events, and within what is allowed."""

from hypothesis import given
from hypothesis import strategies as st
from tracks.made import noisy, track

from earlet.events import EventPolicy
from earlet_bench.tuning.judge import alarms, figures, outcomes
from earlet_bench.tuning.search import Grid, alarms_after_smoothing, choose, search, smoothed

SCORES = st.lists(st.one_of(st.none(), st.floats(-4, 4)), min_size=1, max_size=80)


@given(
    SCORES,
    st.floats(-2, 2),
    st.floats(0, 2),
    *(st.sampled_from([0.0, 0.4, 1.0, 3.0]) for _ in range(4)),
)
def test_the_quick_search_follows_the_rules_of_events(
    scores: list[float | None],
    on: float,
    apart: float,
    smoothing_s: float,
    minimum_s: float,
    cool_down_s: float,
    silence_s: float,
) -> None:
    policy = EventPolicy(
        on_threshold=on,
        off_threshold=on - apart,
        smoothing_s=smoothing_s,
        minimum_s=minimum_s,
        cool_down_s=cool_down_s,
        silence_s=silence_s,
    )
    one = track(scores)
    quick = alarms_after_smoothing(policy, smoothed(one, smoothing_s, silence_s))
    slow = alarms(policy, one)
    assert quick == slow


SMALL = Grid(smoothing_s=(0.0, 2.0), minimum_s=(0.0, 1.0), apart=(0.0, 1.0))


def test_the_choice_keeps_to_the_budget_and_is_the_best_within_it() -> None:
    tracks = [noisy(k, (300.0, 600.0), speaker=s) for k, s in enumerate("abc")]
    tracks += [noisy(9, speaker="d")]
    tried = search(tracks, positive="spoof", grid=SMALL)
    assert len(tried) == len({t.policy for t in tried}) > 100
    found = {}
    for budget in (0.0, 5.0, 60.0):
        best = choose(tried, most_per_hour=budget)
        assert best is not None
        assert best.figures.false_alarms_per_hour.value <= budget
        found[budget] = best.figures.unnoticed.value
        allowed = [t for t in tried if t.figures.false_alarms_per_hour.value <= budget]
        least = min(t.figures.unnoticed.value + t.figures.standing.value for t in allowed)
        assert best.figures.unnoticed.value + best.figures.standing.value <= least + 0.1
    assert found[60.0] <= found[5.0] <= found[0.0] < 0.1
    # Single scores of this noise are no use: what was chosen smooths.
    best = choose(tried, most_per_hour=0.0)
    assert best is not None
    assert best.policy.smoothing_s == 2.0
    again = figures(outcomes(best.policy, tracks, positive="spoof"), hours=1.0, resamples=0)
    assert again.false_alarms == 0
    assert again.unnoticed == best.figures.unnoticed


def test_where_nothing_is_found_within_the_budget_there_is_no_choice() -> None:
    backwards = [track([2.0] * 20 + [-2.0] * 20, (10.0, 20.0), speaker=s) for s in "ab"]
    assert choose(search(backwards, positive="spoof", grid=SMALL), most_per_hour=0.0) is None
