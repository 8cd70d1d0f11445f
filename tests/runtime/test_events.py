"""Verdicts become events that neither stutter nor overlap."""

import dataclasses
import itertools
import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlet.errors import BundleError, UsageError
from earlet.events import Event, EventPoint, EventPolicy, Events, untuned
from earlet.manifest import Manifest
from earlet.verdict import Verdict

HOP_S, WINDOW_S = 0.25, 4.0


def verdicts(scores: Sequence[float | None], *, window_s: float = WINDOW_S) -> list[Verdict]:
    """One each hop; None is silence."""
    return [
        Verdict(
            label=None if score is None else ("spoof" if score >= 0 else "bonafide"),
            score=score,
            probability=None if score is None else 0.5,
            threshold=0.0,
            status="no_signal" if score is None else "ok",
            start_s=k * HOP_S,
            end_s=k * HOP_S + window_s,
            model="m",
            sha256="0",
        )
        for k, score in enumerate(scores)
    ]


def follow(policy: EventPolicy, scores: Sequence[float | None]) -> list[Event]:
    events = Events(policy, label="spoof")
    return [*events.accept(verdicts(scores)), *events.finish()]


def plain(**changes: float) -> EventPolicy:
    return EventPolicy(**{"on_threshold": 1.0, "off_threshold": -1.0, **changes})


SCORES = st.lists(
    st.one_of(st.none(), st.floats(-6, 6, allow_nan=False, width=32)), min_size=1, max_size=120
)


@st.composite
def policies(draw: st.DrawFn) -> EventPolicy:
    on = draw(st.floats(-3, 3))
    seconds = st.floats(0, 8)
    return EventPolicy(
        on_threshold=on,
        off_threshold=on - draw(st.floats(0, 3)),
        smoothing_s=draw(seconds),
        minimum_s=draw(seconds),
        cool_down_s=draw(seconds),
        silence_s=draw(seconds),
    )


@given(policies(), SCORES)
def test_events_follow_each_other_without_overlap_and_with_the_cool_down_between(
    policy: EventPolicy, scores: list[float | None]
) -> None:
    told = follow(policy, scores)
    # Each is told twice, one after the other: it begins, it ends.
    assert [e.number for e in told] == [n for k in range(len(told) // 2) for n in (k + 1, k + 1)]
    begun, ended = told[::2], told[1::2]
    assert all(e.end_s is None and e.ended_by is None for e in begun)
    for first, last in zip(begun, ended, strict=True):
        assert last.end_s is not None
        assert last.ended_by is not None
        assert first.start_s == last.start_s < last.end_s
        assert first.start_s < first.known_s <= last.known_s
        assert last.end_s <= last.known_s
        assert policy.on_threshold <= first.peak_score <= last.peak_score
    for earlier, later in zip(ended, begun[1:], strict=False):
        assert earlier.end_s is not None
        assert later.start_s >= earlier.end_s + policy.cool_down_s


@given(policies(), SCORES, st.lists(st.integers(0, 120), max_size=5))
def test_cutting_the_verdicts_into_calls_changes_nothing(
    policy: EventPolicy, scores: list[float | None], cuts: list[int]
) -> None:
    given_at_once = follow(policy, scores)
    events = Events(policy, label="spoof")
    everything, told = verdicts(scores), []
    edges = [0, *sorted(min(cut, len(everything)) for cut in cuts), len(everything)]
    for first, last in itertools.pairwise(edges):
        told += events.accept(everything[first:last])
    assert [*told, *events.finish()] == given_at_once


@given(policies(), SCORES, SCORES)
def test_after_a_reset_nothing_is_left_of_the_sound_before(
    policy: EventPolicy, before: list[float | None], scores: list[float | None]
) -> None:
    events = Events(policy, label="spoof")
    events.accept(verdicts(before))
    events.reset()
    assert [*events.accept(verdicts(scores)), *events.finish()] == follow(policy, scores)


@given(SCORES, st.floats(-3, 3))
def test_without_smoothing_and_margins_events_are_the_runs_above_the_threshold(
    scores: list[float | None], threshold: float
) -> None:
    policy = EventPolicy(on_threshold=threshold, off_threshold=threshold, silence_s=math.inf)
    heard = [score >= threshold for score in scores if score is not None]
    runs = sum(now and not before for before, now in zip([False, *heard], heard, strict=False))
    assert len(follow(policy, scores)) == 2 * runs


@given(st.floats(-6, 6), st.floats(0, 5), st.lists(st.floats(0.1, 3), min_size=1, max_size=30))
def test_the_smoothed_score_of_a_constant_score_is_that_score(
    score: float, smoothing_s: float, hops_s: list[float]
) -> None:
    events = Events(plain(smoothing_s=smoothing_s), label="spoof")
    end_s = 0.0
    for hop_s in hops_s:
        end_s += hop_s
        events.step(max(0.0, end_s - WINDOW_S), end_s, score)
    assert events.smoothed == pytest.approx(score)


def test_smoothing_follows_by_its_time_constant_whatever_the_hop() -> None:
    for hops in (1, 4, 16):
        events = Events(plain(smoothing_s=2.0), label="spoof")
        events.step(0.0, 4.0, 0.0)
        for k in range(hops):
            end_s = 4.0 + 2.0 * (k + 1) / hops
            events.step(end_s - 4.0, end_s, 1.0)
        assert events.smoothed == pytest.approx(1 - math.exp(-1))


def test_smoothing_decides_and_is_not_only_computed() -> None:
    single = [-3.0] * 20 + [5.0] + [-3.0] * 20
    assert len(follow(plain(), single)) == 2
    assert follow(plain(smoothing_s=2.0), single) == []


def test_an_event_begins_where_the_scores_rose_however_late_smoothing_is() -> None:
    rise = [-3.0] * 20 + [3.0] * 40
    for smoothing_s in (0.0, 1.0, 4.0):
        begun, _ = follow(plain(smoothing_s=smoothing_s), rise)
        assert begun.start_s == 20 * HOP_S
    # Scores that only hover above the lower threshold do not draw the beginning back for ever.
    begun, _ = follow(plain(smoothing_s=1.0), [-0.9] * 100 + [4.0] * 40)
    assert 100 * HOP_S - 2.0 <= begun.start_s <= 100 * HOP_S
    # The scores before a long silence are of another sound.
    begun, _ = follow(plain(silence_s=1.0), [0.0, *[None] * 8, 3.0])
    assert begun.start_s == 9 * HOP_S


def test_a_score_that_flutters_between_the_thresholds_makes_one_event() -> None:
    flutter = [2.0, 0.0, 2.0, -0.5, 1.5] * 10
    assert len(follow(plain(), flutter)) == 2
    tight = EventPolicy(on_threshold=1.0, off_threshold=1.0)
    assert len(follow(tight, flutter)) > 20


def test_what_is_shorter_than_the_minimum_is_no_event() -> None:
    def burst(hops: int) -> list[float | None]:
        return [*[-3.0] * 10, *[3.0] * hops, *[-3.0] * 10]

    # Four hops after the crossing are one second of new sound.
    assert follow(plain(minimum_s=1.0), burst(4)) == []
    begun, ended = follow(plain(minimum_s=1.0), burst(5))
    assert begun.known_s == 14 * HOP_S + WINDOW_S
    assert (begun.start_s, ended.end_s) == (10 * HOP_S, 14 * HOP_S + WINDOW_S)
    assert ended.known_s == 15 * HOP_S + WINDOW_S


def test_silence_is_no_evidence_and_a_long_one_ends_the_event() -> None:
    policy = plain(smoothing_s=1.0, silence_s=2.0)
    short = [3.0] * 8 + [None] * 8 + [3.0] * 8
    assert [e.ended_by for e in follow(policy, short)] == [None, "end of sound"]
    told = follow(policy, [*short[:8], *[None] * 9, *[3.0] * 8])
    assert [e.ended_by for e in told] == [None, "silence", None, "end of sound"]
    assert told[1].end_s == 7 * HOP_S + WINDOW_S
    # The smoothing begins anew: what came before the silence does not pull the score down.
    begins = follow(policy, [*[-3.0] * 8, *[None] * 9, 1.5])
    assert [e.peak_score for e in begins] == [1.5, 1.5]


def test_silence_does_not_count_towards_the_minimum() -> None:
    policy = plain(minimum_s=1.0, silence_s=60.0)
    assert follow(policy, [2.0, *[None] * 40, 2.0, 2.0, 2.0]) == []
    assert len(follow(policy, [2.0, *[None] * 40, 2.0, 2.0, 2.0, 2.0])) == 2


def test_silence_alone_is_no_event() -> None:
    assert follow(untuned(-9.0), [None] * 100) == []


def test_verdicts_out_of_order_and_after_the_end_are_refused() -> None:
    events = Events(plain(), label="spoof")
    first, second = verdicts([0.0, 0.0])
    events.accept([second])
    with pytest.raises(UsageError, match=r"4\.000 s came after one up to 4\.250 s.*reset\(\)"):
        events.accept([first])
    events.finish()
    with pytest.raises(UsageError, match=r"finished: call reset\(\)"):
        events.accept([second])
    events.reset()
    assert events.accept([first]) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"off_threshold": 2.0}, "must not be above on_threshold"),
        ({"smoothing_s": -1.0}, "smoothing_s must not be negative"),
        ({"minimum_s": math.nan}, "minimum_s must not be negative"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(changes: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        plain(**changes)


POINT = EventPoint(
    data="calls, dev",
    hours=2.5,
    false_alarms_per_hour=0.4,
    targets=10,
    misses=6,
    median_latency_s=None,
    p90_latency_s=None,
)


def test_the_manifest_carries_policy_and_operating_point(manifest: Manifest) -> None:
    assert "events" not in manifest.to_json()
    tuned = dataclasses.replace(manifest, events=plain(smoothing_s=2), event_point=POINT)
    assert Manifest.from_json(tuned.to_json(), source="m") == tuned
    assert tuned.without_hashes().events == tuned.events
    with pytest.raises(ValueError, match="event_point"):
        dataclasses.replace(manifest, event_point=POINT)


def test_a_manifest_with_an_impossible_policy_is_refused(manifest: Manifest) -> None:
    text = dataclasses.replace(manifest, events=plain(smoothing_s=2.5)).to_json()
    with pytest.raises(BundleError, match=r"manifest\.events.*must not be negative"):
        Manifest.from_json(text.replace("2.5", "-2.5"), source="m")
