import math
from collections import Counter

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor, nn

from earlet_export.macs import layer_macs
from earlet_export.passes.compact_constants import compact_constants
from earlet_export.passes.compact_dft import MARK, compact_dft
from earlet_export.passes.folding import constants_of, fold
from earlet_export.passes.waves import TOLERANCE, recognise
from earlet_export.run import Runner
from earlet_export.trace import Traced, trace
from earlet_train.frontends.clip_spectrum import ClipSpectrum
from earlet_train.frontends.dft import PowerDft
from earlet_train.frontends.dft_kernels import factored_kernels
from earlet_train.frontends.symmetric_dft import SymmetricDft
from earlet_train.frontends.windows import Sampling, Window, window_function
from earlet_train.network import Network

Array = NDArray[np.float32]
T = 8_000
BIG_BYTES = 4096


@pytest.fixture(scope="module")
def stored(network: Network) -> Traced:
    return trace(network, window_samples=T, kept="stored")


def big_tables(module: nn.Module) -> dict[str, Array]:
    return {
        name: value.numpy()
        for name, value in module.named_buffers()
        if value.dtype == torch.float32 and value.ndim > 1 and value.nbytes >= BIG_BYTES
    }


@settings(max_examples=12, deadline=None)
@given(
    sizes=st.sampled_from(
        [(512, 160, 512), (512, 128, 400), (400, 160, 400), (320, 160, 320), (1024, 256, 800)]
    ),
    window=st.sampled_from(["hann", "hamming", "blackman", "povey", "rectangular"]),
    sampling=st.sampled_from(["periodic", "symmetric"]),
    form=st.sampled_from([None, "folded", "matmul"]),
)
def test_every_kernel_of_every_form_size_and_window_is_recognised(
    sizes: tuple[int, int, int], window: str, sampling: str, form: str | None
) -> None:
    n_fft, hop, length = sizes
    dft = PowerDft(
        n_fft=n_fft,
        hop_samples=hop,
        window_samples=length,
        window=window,  # type: ignore[arg-type]
        sampling=sampling,  # type: ignore[arg-type]
        form=form,  # type: ignore[arg-type]
    )
    tables = big_tables(dft)
    assert tables
    for name, table in tables.items():
        found = recognise(table)
        assert found is not None, name
        # Of a window that is a sum of cosines all digits are known: zeros may keep a trace, and a
        # number in the middle between two floats may round to the other one.
        away = np.abs(found.table() - table)
        if window == "povey":
            assert away.max() <= TOLERANCE
        else:
            assert (away <= np.maximum(np.spacing(np.abs(table)), 1e-12)).all()
            assert (away > 1e-12).mean() < 1e-4


def test_the_transforms_of_whole_clips_and_of_symmetric_halves_are_recognised_too() -> None:
    modules = [
        ClipSpectrum(samples=64_000, highest_bin=32_000),
        SymmetricDft(window=np.hanning(512), hop_samples=160),
        SymmetricDft(window=np.hanning(1102), hop_samples=441),
    ]
    for module in modules:
        for name, table in big_tables(module).items():
            assert recognise(table) is not None, (module, name)


def test_trained_weights_noise_and_chirps_are_no_waves() -> None:
    rng = np.random.default_rng(3)
    j = np.arange(64)
    assert recognise(rng.standard_normal((64, 64)).astype(np.float32)) is None
    chirps = np.cos(2 * math.pi * np.arange(1, 33)[:, None] * j**2 / 4096)
    assert recognise(chirps.astype(np.float32)) is None
    waves = np.cos(2 * math.pi * np.arange(32)[:, None] * j / 64)
    assert recognise(waves.astype(np.float32)) is not None
    waves[20, 30] += 1e-5
    assert recognise(waves.astype(np.float32)) is None, "one wrong number is not passed over"


def test_the_compact_graph_is_small_and_gives_the_same_features(
    stored: Traced, traced: Traced, waveforms: Array
) -> None:
    small, large = traced.frontend.ByteSize(), stored.frontend.ByteSize()
    assert small < 0.15 * large
    given_, wanted = Runner.of(traced.frontend)(waveforms), Runner.of(stored.frontend)(waveforms)
    np.testing.assert_array_equal(given_, wanted)
    assert layer_macs(traced.frontend) == layer_macs(stored.frontend)


def test_onnxruntime_runs_the_same_operators_either_way(stored: Traced, traced: Traced) -> None:
    def operators(model: onnx.ModelProto) -> Counter[str]:
        return Counter(node.op_type for node in fold(model, level="all").graph.node)

    assert operators(traced.frontend) == operators(stored.frontend)
    assert any(MARK in node.name for node in traced.frontend.graph.node)


def test_compacting_twice_changes_nothing_more(stored: Traced) -> None:
    once = compact_constants(compact_dft(stored.frontend))
    assert compact_constants(compact_dft(once)) == once


def test_a_table_that_the_input_turns_is_still_exact() -> None:
    """A product of a matrix with the input, so that nothing else hides an error of the matrix."""

    class Cosines(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dft = PowerDft(n_fft=400, hop_samples=100, form="matmul")
            self.model = nn.Sequential(nn.Flatten(), nn.Linear(402 * 400, 2))

        def features(self, waveform: Tensor) -> Tensor:
            return (self.dft.basis * waveform[:, None]).reshape(waveform.shape[0], 1, 402, 400)

    traced = trace(Cosines().eval(), window_samples=400)
    assert traced.frontend.ByteSize() < 10_000
    ones = Runner.of(traced.frontend)(np.ones((1, 400), dtype=np.float32))[0, 0]
    np.testing.assert_allclose(ones, big_tables(Cosines())["dft.basis"], atol=TOLERANCE)


@pytest.mark.parametrize("window", ["hann", "blackman", "povey"])
@pytest.mark.parametrize("sampling", ["periodic", "symmetric"])
def test_long_windows_are_computed_too_and_every_kernel_equals_the_stored_one(
    window: Window, sampling: Sampling
) -> None:
    kernels = factored_kernels(window_function(window, 2048, sampling=sampling), 64, 32, 1025)
    tables = {name: kernels[name].astype(np.float32) for name in ("inner", "outer")}
    shapes = {name: list(table.shape) for name, table in tables.items()}
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", name], [f"y_{name}"], name=name) for name in tables],
        "frontend",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])],
        [
            helper.make_tensor_value_info(f"y_{name}", onnx.TensorProto.FLOAT, shapes[name])
            for name in tables
        ],
        [numpy_helper.from_array(table, name) for name, table in tables.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    compacted = compact_dft(model)
    assert compacted.ByteSize() < (0.021 if window != "povey" else 0.05) * model.ByteSize()
    made = constants_of(compacted, list(tables))
    for name, table in tables.items():
        allowed = TOLERANCE if window == "povey" else 1e-12
        assert np.abs(made[name].astype(np.float32) - table).max() <= allowed


def test_filter_banks_and_orders_are_kept_to_the_bit() -> None:
    rng = np.random.default_rng(0)
    bank = np.zeros((64, 256), dtype=np.float32)
    for row in bank:
        first = rng.integers(0, 240)
        row[first : first + 12] = rng.random(12)
    order = rng.permutation(256).astype(np.int64)
    negative = np.arange(-200, 56, dtype=np.int64)
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["x", "order"], ["turned"], name="turn", axis=1),
            helper.make_node("Gather", ["turned", "negative"], ["again"], name="again", axis=1),
            helper.make_node("MatMul", ["bank", "again"], ["y"], name="product"),
        ],
        "frontend",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["B", 256, 3])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["B", 64, 3])],
        [
            numpy_helper.from_array(bank, "bank"),
            numpy_helper.from_array(order, "order"),
            numpy_helper.from_array(negative, "negative"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    compacted = compact_constants(model)
    assert compacted.ByteSize() < 0.2 * model.ByteSize()
    assert "negative" in {w.name for w in compacted.graph.initializer}, "not made for those"
    x = rng.standard_normal((2, 256, 3)).astype(np.float32)
    np.testing.assert_array_equal(Runner.of(compacted)(x), Runner.of(model)(x))
