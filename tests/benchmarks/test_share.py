"""The frontend's share of a graph is read from the names that `earlet export` gives its nodes."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from earlet.bundle import find
from earlet.golden import signals
from earlet_bench.latency import Floats
from earlet_bench.share import frontend_share


def _windows(bundle: Path) -> Floats:
    manifest = find(bundle).manifest
    made = signals(window=manifest.window, sample_rate_hz=manifest.sample_rate_hz)
    return np.stack(list(made.values()))


def test_the_heavy_convolution_is_most_of_the_time(exported: Path) -> None:
    model = (exported / "fp32.onnx").read_bytes()
    share = frontend_share(model, windows=_windows(exported), threads=1)
    assert share is not None
    assert 0.2 < share < 1


def test_a_graph_whose_nodes_do_not_tell_has_no_share(exported: Path) -> None:
    model = onnx.load(exported / "fp32.onnx")
    for node in model.graph.node:
        node.name = node.name.replace("frontend/", "")
    stripped = model.SerializeToString()
    assert frontend_share(stripped, windows=_windows(exported), threads=1) is None


def test_profiling_leaves_no_file_behind(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = (exported / "int8.onnx").read_bytes()
    frontend_share(model, windows=_windows(exported)[:2], threads=1)
    assert list(tmp_path.iterdir()) == []
