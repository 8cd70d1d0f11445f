"""The golden replay finds a graph that no longer is its original, and says where."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from earlet.bundle import Bundle
from earlet.errors import BundleError, UsageError
from earlet.manifest import Manifest
from earlet.replay import replay, replay_session
from earlet.session import Session


def test_both_graphs_answer_as_the_original_did(shared_bundle: Path) -> None:
    bundle = Bundle.open(shared_bundle)
    exact, coarse = replay(bundle, "fp32"), replay(bundle, "int8")
    assert exact.ok
    assert coarse.ok
    assert exact.finite
    assert exact.flips == 0
    assert exact.signals == 17
    assert 0 < exact.max_abs_logit < 1e-4 < coarse.max_abs_logit < 2
    assert (exact.tolerance, coarse.tolerance) == (1e-4, 2.0)


def test_the_default_precision_is_the_manifests(shared_bundle: Path) -> None:
    assert replay(Bundle.open(shared_bundle)).precision == "int8"
    with pytest.raises(UsageError, match="has no 'fp16' graph"):
        replay(Bundle.open(shared_bundle), "fp16")


def test_threads_change_nothing(shared_bundle: Path) -> None:
    bundle = Bundle.open(shared_bundle)
    assert replay(bundle, "int8", 2) == replay(bundle, "int8", 1)


def test_a_graph_a_hair_too_loud_is_caught_on_its_loudest_signal(
    shared_bundle: Path, graph_bytes: Callable[..., bytes]
) -> None:
    bundle = Bundle.open(shared_bundle)
    louder = Session(graph_bytes(gain=1.0001), source="louder")
    found = replay_session(louder, bundle, precision="fp32", record=bundle.golden())
    assert not found.ok
    assert found.finite
    assert found.max_abs_logit > 1e-4
    loudest = int(np.argmax(np.abs(bundle.golden().logits).max(axis=1)))
    assert found.worst_signal == bundle.golden().names[loudest]


def test_flips_count_the_decisions_that_differ(
    shared_bundle: Path, graph_bytes: Callable[..., bytes]
) -> None:
    bundle = Bundle.open(shared_bundle)
    reversed_ = Session(graph_bytes(gain=0.0), source="deaf")
    found = replay_session(reversed_, bundle, precision="fp32", record=bundle.golden())
    manifest = bundle.manifest
    logits = bundle.golden().logits
    scores = 0.5 * (logits[:, 1] - logits[:, 0]) + 0.125
    assert found.flips == int((scores >= manifest.threshold).sum()) > 0


def test_a_graph_that_answers_nan_is_broken_not_merely_far(
    shared_bundle: Path, graph_bytes: Callable[..., bytes]
) -> None:
    bundle = Bundle.open(shared_bundle)
    broken = Session(graph_bytes(gain=float("nan")), source="broken")
    found = replay_session(broken, bundle, precision="fp32", record=bundle.golden())
    assert not found.finite
    assert not found.ok
    assert found.max_abs_logit == np.inf


def test_signals_of_another_version_are_refused(shared_bundle: Path) -> None:
    bundle = Bundle.open(shared_bundle)
    other = dataclasses.replace(bundle.golden(), signals_sha256="0" * 64)
    with pytest.raises(BundleError, match=r"this earlet makes other ones.*\(0\.1\.0\)"):
        replay_session(bundle.session("fp32"), bundle, precision="fp32", record=other)


def test_a_precision_without_a_tolerance_cannot_be_judged(
    write_any_bundle: Callable[..., Path], manifest: Manifest
) -> None:
    golden = dataclasses.replace(manifest.golden, tolerances={"fp32": 1e-4})
    path = write_any_bundle(manifest=dataclasses.replace(manifest, golden=golden))
    with pytest.raises(BundleError, match="no tolerance for 'int8'"):
        replay(Bundle.open(path), "int8")
