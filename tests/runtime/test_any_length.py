"""Graphs of any length: a session takes what its manifest says; a detector goes on cutting."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import earlet
from earlet.bundle import Bundle
from earlet.cli import run
from earlet.errors import AudioError, BundleError
from earlet.manifest import Manifest
from earlet.session import Session

SHORTEST = 1200


@pytest.fixture
def bundle(write_any_bundle: Callable[..., Path], manifest: Manifest) -> Path:
    return write_any_bundle(
        manifest=dataclasses.replace(manifest, any_length_from_samples=SHORTEST)
    )


@pytest.mark.parametrize("samples", [SHORTEST, 4001, 8000, 30_001])
def test_a_session_answers_any_length_from_the_shortest_on(
    bundle: Path, original: Callable[[Any], Any], samples: int
) -> None:
    noise = np.random.default_rng(3).normal(0, 0.1, (3, samples)).astype(np.float32)
    session = Bundle.open(bundle).session("fp32")
    assert (session.window_samples, session.shortest_samples) == (None, SHORTEST)
    np.testing.assert_allclose(session.logits(noise), original(noise), atol=1e-4)


def test_what_is_too_short_is_refused_in_the_bundles_own_words(bundle: Path) -> None:
    session = Bundle.open(bundle).session()
    with pytest.raises(AudioError, match=r"int8\.onnx takes 1200 samples or more, found 1199"):
        session.logits(np.zeros((1, SHORTEST - 1), dtype=np.float32))


def test_nothing_at_all_is_refused_also_where_nothing_is_stated(
    graph_bytes: Callable[..., bytes],
) -> None:
    with pytest.raises(AudioError, match="takes 1 samples or more, found 0"):
        Session(graph_bytes(), source="g").logits(np.zeros((1, 0), dtype=np.float32))


def test_a_detector_goes_on_cutting_windows(bundle: Path, shared_bundle: Path) -> None:
    noise = np.random.default_rng(4).normal(0, 0.1, 21_001).astype(np.float32)
    ours, usual = earlet.load(bundle), earlet.load(shared_bundle)
    scores = [verdict.score for verdict in ours.windows(noise, 16_000)]
    assert scores == [verdict.score for verdict in usual.windows(noise, 16_000)]
    assert len(scores) == 5
    with pytest.raises(AudioError):
        ours(noise[:1500], 16_000)  # the policy's min_samples, not the graph's


def test_it_verifies_and_info_says_what_it_takes(
    bundle: Path, shared_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # (The graph of these tests has no frontend, so verify has features of its own to tell of.)
    assert run(["verify", str(bundle)]) == 0
    assert run(["info", str(bundle)]) == 0
    assert "any length from 0.075 s (1200 samples) on" in capsys.readouterr().out
    assert run(["info", str(shared_bundle)]) == 0
    assert "any length" not in capsys.readouterr().out


def test_the_manifest_comes_back_and_does_not_name_what_is_not_so(manifest: Manifest) -> None:
    assert "any_length" not in manifest.to_json()
    said = dataclasses.replace(manifest, any_length_from_samples=SHORTEST)
    assert '"any_length_from_samples": 1200' in said.to_json()
    assert Manifest.from_json(said.to_json(), source="m") == said


@pytest.mark.parametrize("samples", [0, 8001])
def test_a_shortest_beyond_the_window_or_below_one_is_refused(
    manifest: Manifest, samples: int
) -> None:
    with pytest.raises(ValueError, match=r"must lie in 1\.\.window_samples"):
        dataclasses.replace(manifest, any_length_from_samples=samples)


def test_a_graph_of_one_length_under_a_manifest_of_any_is_refused(
    bundle: Path, any_graph: Callable[..., bytes]
) -> None:
    from onnx import TensorProto, helper, numpy_helper

    window = Bundle.open(bundle).manifest.window.window_samples
    value = helper.make_tensor_value_info
    fixed = any_graph(
        [helper.make_node("MatMul", ["waveform", "mix"], ["logits"])],
        inputs=[value("waveform", TensorProto.FLOAT, ["B", window])],
        outputs=[value("logits", TensorProto.FLOAT, ["B", 2])],
        initializers=[numpy_helper.from_array(np.zeros((window, 2), dtype=np.float32), "mix")],
        metadata=dict(Bundle.open(bundle).session("fp32").metadata),
    )
    with pytest.raises(BundleError, match="takes windows of 8000 samples alone, its manifest says"):
        Bundle.open(bundle).session_of(fixed, precision="fp32")
