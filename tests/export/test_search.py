"""The search, with verdicts and speeds that the test lays down: what is asked is its order.

What it does to real graphs is asked in test_export.py.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from earlet_export.biases import biases
from earlet_export.calibrate import Method, Ranges, observe
from earlet_export.macs import layer_macs
from earlet_export.quantize import annotated, layers
from earlet_export.run import Runner, one_by_one
from earlet_export.search import MOST_IN_FLOAT, Int8, Judged, settle
from earlet_export.sensitivity import Damage
from earlet_export.speed import Speed
from earlet_export.trace import Traced

Array = NDArray[np.float32]


@pytest.fixture(scope="module")
def features(traced: Traced, waveforms: Array) -> Array:
    return one_by_one(Runner.of(traced.frontend), waveforms)


class Bench:
    """A real model graph with its real ranges; what holds and what is fast, the test says."""

    def __init__(self, traced: Traced, features: Array) -> None:
        self.traced = traced
        self.model = traced.model
        self.features = features
        self.judged: list[tuple[str, ...]] = []
        self.methods: list[Method] = []
        self.corrected: list[tuple[str, ...]] = []
        self.ranked = 0
        self.told: list[str] = []

    def observe(self, method: Method) -> Ranges:
        self.methods.append(method)
        statistic = "minmax" if method == "own-level" else method
        return observe(self.model, (clip[None] for clip in self.features), method=statistic)

    def correct(self, _ranges: Ranges, kept: Sequence[str]) -> Mapping[str, Array]:
        self.corrected.append(tuple(kept))
        return {name: own + 1 for name, own in biases(self.model).items()}

    @property
    def lightest(self) -> list[str]:
        """Layers, those with the fewest multiplications first."""
        macs = layer_macs(self.model)
        return sorted(layers(self.model), key=lambda name: macs[name])

    def search(
        self,
        holds: Callable[[Sequence[str], int], bool],
        *,
        order: Sequence[str] = (),
        speeds: Mapping[str, float] | None = None,
        exclude: Sequence[str] = (),
        worse: Sequence[int] = (),
    ) -> Int8:
        """`holds(layers in float, how many graphs came before)`; `speeds`: ratios by name.

        `worse`: graphs, counted from 0, that do more harm than the others.
        """

        def judge(graph: onnx.ModelProto) -> Judged:
            kept = self.in_float(graph)
            fine = holds(kept, len(self.judged))
            more = 1 if len(self.judged) in worse else 0
            self.judged.append(kept)
            return Judged(
                eer=0.1,
                flips=0 if fine else 9 - min(9, len(kept)) + more,
                decisions=10,
                max_abs_logit=1.0,
                broken=() if fine else ("changes too much",),
            )

        def rank(ranges: Ranges) -> list[Damage]:
            self.ranked += 1
            return [damage(name) for name in order or layers(self.model)]

        def time(models: Mapping[str, onnx.ModelProto]) -> Mapping[str, Speed]:
            known = speeds or {}
            return {
                name: Speed(
                    candidate=name, p50_ms=1.0, p90_ms=1.0, ratio_to_fp32=known.get(name, 0.5)
                )
                for name in models
            }

        return settle(
            self.model,
            observe=self.observe,
            correct=self.correct,
            judge=judge,
            rank=rank,
            time=time,
            original_eer=0.1,
            exclude=exclude,
            tell=self.told.append,
        )

    def in_float(self, graph: onnx.ModelProto) -> tuple[str, ...]:
        """Layers whose weights are still float."""
        weights = {w.name for w in graph.graph.initializer}
        by_name = {node.name: node for node in self.model.graph.node}
        return tuple(name for name in layers(self.model) if by_name[name].input[1] in weights)


def damage(layer: str) -> Damage:
    return Damage(
        layer=layer,
        damage=1.0,
        near=1.0,
        drawn_together=0.0,
        flips=0,
        eer_change=0.0,
        mean_abs_logit=1.0,
        sqnr_db=10.0,
        share_of_macs=0.1,
    )


@pytest.fixture
def bench(traced: Traced, features: Array) -> Bench:
    return Bench(traced, features)


def test_nothing_else_is_tried_where_plain_int8_holds(bench: Bench) -> None:
    found = bench.search(lambda _kept, _before: True, exclude=("model/body.0/Conv",))
    assert [tried.name for tried in found.tried] == ["int8"]
    assert found.kept_float == ("model/body.0/Conv",)
    assert (bench.methods, bench.ranked, found.fp32_speed) == (["minmax"], 0, None)
    assert (bench.told, bench.corrected) == ([], [])


def test_corrected_biases_come_first_and_are_in_the_graph(bench: Bench) -> None:
    found = bench.search(lambda _kept, before: before == 1)
    assert [(tried.name, tried.corrected) for tried in found.tried] == [
        ("int8", False),
        ("int8, corrected", True),
    ]
    assert found.chosen.name == "int8, corrected"
    assert (bench.methods, bench.corrected, bench.ranked) == (["minmax"], [()], 0)
    assert bench.told == ["int8: changes too much", "int8, corrected: keeps its promise"]
    ranges = bench.observe("minmax")
    given = bench.correct(ranges, ())
    meant = annotated(bench.model, ranges, biases=given)
    assert found.annotated().SerializeToString() == meant.SerializeToString()
    plain = annotated(bench.model, ranges)
    assert meant.SerializeToString() != plain.SerializeToString()


def test_other_calibrations_come_before_layers_in_float(bench: Bench) -> None:
    found = bench.search(lambda _kept, before: before == 2)
    assert [tried.name for tried in found.tried] == [
        "int8",
        "int8, corrected",
        "int8, corrected, entropy",
        "int8, corrected, percentile",
    ]
    assert found.chosen.name == "int8, corrected, entropy"
    assert found.kept_float == ()
    assert bench.ranked == 0
    assert bench.told == [
        "int8: changes too much",
        "int8, corrected: changes too much",
        "int8, corrected, entropy: keeps its promise",
        "int8, corrected, percentile: changes too much",
        "timing 4 int8 graphs beside fp32",
    ]


def test_the_worst_layers_go_back_and_no_more_than_needed(bench: Bench) -> None:
    order = bench.lightest
    needed = set(order[:3])
    found = bench.search(lambda kept, _: needed <= set(kept), order=order)
    assert set(found.kept_float) == needed
    assert found.chosen.name == "int8, corrected, 3 worst layers in float"
    assert [t.name for t in found.tried[4:7]] == [
        "int8, corrected, first layer in float",
        "int8, corrected, last block in float",
        "int8, corrected, first layer and last block in float",
    ]
    assert all(tried.speed is not None for tried in found.tried)
    assert found.fp32_speed is not None


def test_of_those_that_hold_the_least_float_wins_unless_another_is_clearly_faster(
    bench: Bench,
) -> None:
    order = bench.lightest

    def any_layer(kept: Sequence[str], before: int) -> bool:
        return len(kept) > 0

    plain = bench.search(any_layer, order=order)
    least = min((t for t in plain.tried if t.holds), key=lambda t: t.float_share)
    assert plain.chosen.name == least.name
    other = next(t.name for t in plain.tried if t.holds and t.name != least.name)
    assert bench.search(any_layer, order=order, speeds={other: 0.49}).chosen.name == least.name
    assert bench.search(any_layer, order=order, speeds={other: 0.40}).chosen.name == other


def test_it_gives_up_before_half_of_the_work_is_float(bench: Bench) -> None:
    found = bench.search(lambda _kept, _before: False)
    assert not found.chosen.holds
    assert found.chosen.judged.badness(0.1) == min(t.judged.badness(0.1) for t in found.tried)
    assert len(found.tried) > 6
    assert all(tried.float_share <= MOST_IN_FLOAT for tried in found.tried)


@pytest.mark.parametrize("helps", [True, False])
def test_biases_are_corrected_further_on_unless_that_did_more_harm(
    bench: Bench, helps: bool
) -> None:
    """Told apart by the number of graphs before: the second is the corrected one."""
    found = bench.search(lambda _kept, _before: False, worse=() if helps else (1,))
    assert {tried.corrected for tried in found.tried[2:]} == {helps}
    assert all(("corrected" in tried.name) == tried.corrected for tried in found.tried)
    assert "int8, percentile" in {t.name.replace("corrected, ", "") for t in found.tried}


def test_an_error_rate_below_the_originals_makes_up_for_no_decision() -> None:
    lucky = Judged(eer=0.3, flips=3, decisions=10, max_abs_logit=1.0, broken=("changes too much",))
    steady = dataclasses.replace(lucky, eer=0.8, flips=1)
    assert steady.badness(0.8) < lucky.badness(0.8)
    assert dataclasses.replace(steady, eer=0.9).badness(0.8) == pytest.approx(0.2)


def test_quiet_recordings_are_left_out_where_nothing_else_holds(bench: Bench) -> None:
    found = bench.search(lambda _kept, _before: bench.methods[-1] == "own-level")
    assert found.chosen.name == found.tried[-1].name == "int8, corrected, own-level"
    assert (found.chosen.method, found.kept_float, bench.ranked) == ("own-level", (), 1)
    needed = set(bench.lightest[:2])
    found = Bench(bench.traced, bench.features).search(
        lambda kept, _before: needed <= set(kept), order=bench.lightest
    )
    assert found.chosen.method == "minmax", "layers in float come before"


def test_with_quiet_recordings_left_out_the_worst_layers_go_back_too(bench: Bench) -> None:
    order = bench.lightest
    found = bench.search(
        lambda kept, _before: bench.methods[-1] == "own-level" and set(order[:2]) <= set(kept),
        order=order,
    )
    assert found.chosen.name == "int8, corrected, own-level, 2 worst layers in float"
    assert bench.ranked == 2


def test_the_same_graph_is_not_judged_twice(bench: Bench) -> None:
    # The first layer is also the worst one.
    found = bench.search(lambda _kept, _before: False, order=layers(bench.model))
    made = [(tried.method, tried.corrected, frozenset(tried.kept_float)) for tried in found.tried]
    assert len(made) == len(set(made)) == len(bench.judged)
