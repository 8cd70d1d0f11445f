"""Which recordings are drawn follows one rule, and what is drawn is what was judged."""

import dataclasses
from collections import Counter
from pathlib import Path

import pytest
from tracks.made import SHARP, noisy, track

from earlet.segments import LongRecording
from earlet_bench.tuning.hear import Track
from earlet_bench.tuning.judge import outcomes
from earlet_bench.tuning.timeline import choose_strips, draw_timeline

CALM = dataclasses.replace(SHARP, on_threshold=0.5, off_threshold=-0.5, smoothing_s=4.0)
HIT, MISS = [-2.0] * 40 + [2.0] * 40, [-2.0] * 80


def named(one: Track, name: str) -> Track:
    recording = dataclasses.replace(one.recording, name=name)
    assert isinstance(recording, LongRecording)
    return dataclasses.replace(one, recording=recording)


def sets(found: int, missed: int, free: int) -> list[Track]:
    return [
        *(named(track(HIT, (20.0, 40.0)), f"found_{k}") for k in range(found)),
        *(named(track(MISS, (20.0, 40.0)), f"missed_{k}") for k in range(missed)),
        *(named(track(MISS), f"free_{k}") for k in range(free)),
    ]


@pytest.mark.parametrize(
    ("there", "shown"),
    [
        ((9, 9, 9), (2, 2, 2)),
        # However rare a miss is, it is shown.
        ((50, 1, 0), (5, 1, 0)),
        ((1, 0, 50), (1, 0, 5)),
        ((1, 1, 0), (1, 1, 0)),
    ],
)
def test_of_each_sort_two_are_shown_and_at_most_six(
    there: tuple[int, int, int], shown: tuple[int, int, int]
) -> None:
    strips = choose_strips(sets(*there), SHARP, positive="spoof")
    names = [strip.track.recording.name for strip in strips]
    counts = Counter(name.partition("_")[0] for name in names)
    assert (counts["found"], counts["missed"], counts["free"]) == shown
    assert len(set(names)) == len(names)
    order = ["found", "missed", "nothing to find"]
    assert [order.index(s.sort) for s in strips] == sorted(order.index(s.sort) for s in strips)


def test_the_draw_does_not_depend_on_what_is_pretty() -> None:
    tracks = sets(20, 20, 20)
    first = choose_strips(tracks, SHARP, positive="spoof")
    again = choose_strips(tracks, SHARP, positive="spoof")
    assert [s.track.recording.name for s in first] == [s.track.recording.name for s in again]
    # Louder verdicts of the same sorts: the same recordings.
    louder = [
        dataclasses.replace(
            t, verdicts=tuple((a, b, None if s is None else 3 * s) for a, b, s in t.verdicts)
        )
        for t in tracks
    ]
    other = choose_strips(louder, SHARP, positive="spoof")
    assert [s.track.recording.name for s in other] == [s.track.recording.name for s in first]


def test_every_alarm_is_drawn_as_what_it_was_judged() -> None:
    tracks = [noisy(k, (300.0, 600.0), speaker=s) for k, s in enumerate("abc")]
    strips = {s.track.recording.name: s for s in choose_strips(tracks, SHARP, positive="spoof")}
    for found in outcomes(SHARP, tracks, positive="spoof"):
        counts = Counter(what for _, what in strips[found.name].said)
        assert counts["false"] == found.false_alarms > 0
        assert counts["repeat"] == found.repeats > 0
        assert counts["found"] == sum(t.latency_s is not None for t in found.targets)


def test_a_picture_is_made_again_to_the_byte(tmp_path: Path) -> None:
    tracks = [noisy(k, (300.0, 600.0), speaker=s) for k, s in enumerate("ab")]
    gap = [None if 100 < k < 200 else -1.0 for k in range(400)]
    strips = choose_strips([*tracks, track(gap)], CALM, positive="spoof")
    for name in ("a.png", "b.png"):
        draw_timeline(
            strips, CALM, positive="spoof", title="t", names={"A01": "tone"}, file=tmp_path / name
        )
    first = (tmp_path / "a.png").read_bytes()
    assert first.startswith(b"\x89PNG")
    assert first == (tmp_path / "b.png").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_silence_alone_can_be_drawn(tmp_path: Path) -> None:
    strips = choose_strips([track([None] * 9)], SHARP, positive="spoof")
    draw_timeline(strips, SHARP, positive="spoof", title="t", names={}, file=tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000
