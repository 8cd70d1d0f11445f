"""STFT and DFT operators of foreign models, written out: the same spectrum, faster and exact."""

from typing import Any

import numpy as np
import onnx
import pytest
import torch
import torchaudio
from foreign.small import T, agree, model, sound, spec
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from earlet_export.foreign.cut import Cut
from earlet_export.foreign.spectra import SPECTRUM, write_out_spectra
from earlet_export.foreign.torch_module import TorchOriginal, export_module
from earlet_export.foreign.wrapped import Wrapped, wrap
from earlet_export.run import Runner

Array = NDArray[np.float32]
LOGITS = '[output]\nmeans = "logits"\n'


def stft(
    n_fft: int, hop: int, *, window: Array | None = None, **attributes: Any
) -> onnx.ModelProto:
    """`x` [B, T] -> its STFT `answer`."""
    constants: dict[str, NDArray[Any]] = {
        "axis": np.array([2]),
        "hop": np.array(hop),
        "length": np.array(n_fft),
    }
    if window is not None:
        constants["window"] = window
    taper = "" if window is None else "window"
    nodes = [
        helper.make_node("Unsqueeze", ["x", "axis"], ["x3"]),
        helper.make_node("STFT", ["x3", "hop", taper, "length"], ["answer"], **attributes),
    ]
    return model(nodes, constants, inputs={"x": (TensorProto.FLOAT, ["B", T])})


def by_definition(waves: Array, n_fft: int, hop: int, window: Array | None) -> NDArray[Any]:
    """Waves [B, T] -> [B, N, bins, 2] in double precision."""
    frames = np.lib.stride_tricks.sliding_window_view(waves.astype(np.float64), n_fft, axis=1)
    taper = 1.0 if window is None else window.astype(np.float64)
    spectrum = np.fft.rfft(frames[:, ::hop] * taper)
    return np.stack([spectrum.real, spectrum.imag], axis=-1)


def hann(samples: int) -> Array:
    return np.hanning(samples + 1)[:-1].astype(np.float32)


@pytest.mark.parametrize(
    ("n_fft", "hop", "exact", "splits"),
    [
        (512, 160, True, True),
        (256, 128, True, True),
        (400, 160, False, True),
        (320, 160, False, True),
        (441, 160, False, False),
        (402, 160, False, False),
    ],
)
@pytest.mark.parametrize("tapered", [True, False])
def test_a_spectrum_written_out_is_the_spectrum(
    n_fft: int, hop: int, exact: bool, splits: bool, tapered: bool
) -> None:
    window = hann(n_fft) if tapered else None
    graph, waves = stft(n_fft, hop, window=window), sound()
    written = write_out_spectra(graph, {"x": waves}, source="a test")
    assert (written.count, written.inexact) == (1, not exact)
    kinds = [node.op_type for node in written.model.graph.node if node.name.startswith(SPECTRUM)]
    assert "STFT" not in kinds
    assert ("MatMul" in kinds) == splits
    expected = by_definition(waves, n_fft, hop, window)
    largest = np.abs(expected).max()
    for batch in (waves, waves[:1]):
        found = Runner.of(written.model)(batch)
        np.testing.assert_allclose(found, expected[: len(batch)], atol=1e-6 * largest)

    yardstick = write_out_spectra(graph, {"x": waves}, source="a test", exactly=True).model
    np.testing.assert_allclose(Runner.of(yardstick)(waves), expected, atol=2e-7 * largest)


def test_a_transform_of_frames_is_written_out_too() -> None:
    node = helper.make_node("DFT", ["frames"], ["answer"], axis=2, onesided=1)
    frames = {"frames": (TensorProto.FLOAT, ["B", 8, 120, 1])}
    waves = np.random.default_rng(0).normal(size=(3, 8, 120, 1)).astype(np.float32)
    graph = model([node], {}, inputs=frames)
    written = write_out_spectra(graph, {"frames": waves}, source="a test")
    assert (written.count, written.inexact) == (1, True)
    expected = np.fft.rfft(waves[..., 0].astype(np.float64))
    found = Runner.of(written.model)(waves)
    np.testing.assert_allclose(found[..., 0], expected.real, atol=1e-5)
    np.testing.assert_allclose(found[..., 1], expected.imag, atol=1e-5)


def kernels(n_fft: int, bins: int, taper: Array) -> dict[str, Array]:
    """Tapered cosines and sines [bins, 1, w], as other programs compute them."""
    n, k = np.arange(len(taper)), np.arange(bins)[:, None]
    turns = np.exp(-2j * np.pi * n * k / n_fft) * taper
    return {
        "c": turns.real[:, None].astype(np.float32),
        "s": turns.imag[:, None].astype(np.float32),
        "S": -turns.imag[:, None].astype(np.float32),
    }


def convolution(hop: int, *weights: Array) -> onnx.ModelProto:
    """`x` [B, 1, T] -> a convolution for each weight, side by side in `answer`."""
    nodes = [
        helper.make_node("Conv", ["x", f"w{i}"], [f"y{i}"], strides=[hop])
        for i in range(len(weights))
    ]
    nodes.append(
        helper.make_node("Concat", [f"y{i}" for i in range(len(weights))], ["answer"], axis=1)
    )
    constants = {f"w{i}": weight for i, weight in enumerate(weights)}
    return model(nodes, constants, inputs={"x": (TensorProto.FLOAT, ["B", 1, T])})


@pytest.mark.parametrize("parts", ["c", "cs", "cS", "c s", "S c"])
@pytest.mark.parametrize(
    ("n_fft", "width", "bins", "hop"),
    [(512, 512, 257, 160), (512, 400, 257, 160), (256, 256, 128, 128), (400, 400, 201, 200)],
)
def test_a_convolution_with_cosines_and_sines_is_factored(
    parts: str, n_fft: int, width: int, bins: int, hop: int
) -> None:
    of = kernels(n_fft, bins, 0.37 * hann(width))
    weights = [np.concatenate([of[p] for p in one]) for one in parts.split()]
    graph, waves = convolution(hop, *weights), sound()[:, None]
    written = write_out_spectra(graph, {"x": waves}, source="a test")
    assert (written.count, written.inexact) == (len(weights), False)
    kinds = [node.op_type for node in written.model.graph.node]
    # The cosines' and the sines' own convolutions share one spectrum.
    assert (kinds.count("MatMul"), kinds.count("Conv")) == (1, 1)
    expected = Runner.of(graph)(waves)
    for batch in (waves, waves[:1]):
        found = Runner.of(written.model)(batch)
        np.testing.assert_allclose(
            found, expected[: len(batch)], atol=1e-6 * np.abs(expected).max()
        )


def learned(scale: float = 0.05) -> Array:
    noise = np.random.default_rng(0).normal(size=(257, 1, 512)).astype(np.float32)
    fourier = kernels(512, 257, hann(512))["c"]
    changed: Array = fourier + np.float32(scale) * noise
    return changed


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(convolution(160, learned()), id="kernels that were trained on"),
        pytest.param(convolution(125, kernels(512, 257, hann(512))["c"]), id="no split"),
        pytest.param(
            convolution(160, kernels(512, 257, hann(512))["s"]), id="sines without cosines"
        ),
        pytest.param(stft(512, 125), id="a power of two whose hop does not split"),
        pytest.param(stft(400, 160, onesided=0), id="both sides"),
    ],
)
def test_what_no_rule_fits_is_left(graph: onnx.ModelProto) -> None:
    waves = sound() if graph.graph.node[0].op_type != "Conv" else sound()[:, None]
    left = write_out_spectra(graph, {"x": waves}, source="a test")
    assert (left.count, left.inexact) == (0, False)
    assert left.model.SerializeToString() == graph.SerializeToString()


class Mel(torch.nn.Module):
    """A detector on torchaudio's mel spectrogram, whose default is 400 samples every 200.

    `top_nepers`: levels so far below the loudest of the batch are raised to there.
    """

    def __init__(self, top_nepers: float | None = None) -> None:
        super().__init__()
        self.top_nepers = top_nepers
        torch.manual_seed(0)
        self.mel = torchaudio.transforms.MelSpectrogram(16_000, n_mels=24)
        self.body = torch.nn.Conv1d(24, 16, 3)
        self.last = torch.nn.Linear(16, 2)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        log = torch.log(self.mel(waveform) + 1e-6)
        if self.top_nepers is not None:
            log = torch.maximum(log, log.max() - self.top_nepers)
        answer: torch.Tensor = self.last(torch.relu(self.body(log)).mean(dim=2))
        return answer


@pytest.fixture(scope="module")
def mel() -> onnx.ModelProto:
    return export_module(Mel().eval(), spec(LOGITS))


def test_a_torch_module_with_torchaudios_default_size_keeps_its_answers(
    mel: onnx.ModelProto,
) -> None:
    original = TorchOriginal(module=Mel().eval(), spec=spec(LOGITS))
    wrapped = wrap(mel, spec(LOGITS), sha256="", untouched=original)
    assert (wrapped.spectra, wrapped.inexact, wrapped.held) == (1, False, None)
    agree(wrapped)
    assert operators(wrapped, written=False).count("STFT") == 1
    assert "STFT" not in operators(wrapped, written=True)


def test_a_file_whose_spectrum_onnxruntime_computes_badly_is_held_against_double_precision(
    mel: onnx.ModelProto,
) -> None:
    wrapped = wrap(mel, spec(LOGITS), sha256="")
    assert wrapped.inexact
    waves = sound()
    with torch.no_grad():
        meant = Mel().eval()(torch.from_numpy(waves)).numpy()
    np.testing.assert_allclose(wrapped.logits(waves), meant, atol=1e-5)
    # Nothing but rounding where sound is loud; a quiet band is where the operator strays.
    assert 0 < wrapped.away_from_the_file(waves) < 1e-3


@pytest.mark.parametrize("top_nepers", [None, 6.0])
def test_filter_banks_take_the_bytes_that_they_need(top_nepers: float | None) -> None:
    """Also where the frontend hears one recording at a time, in a Scan."""
    module = Mel(top_nepers).eval()
    original = TorchOriginal(module=module, spec=spec(LOGITS))
    exported = export_module(module, spec(LOGITS))
    wrapped = wrap(exported, spec(LOGITS), sha256="", untouched=original)
    assert wrapped.one_by_one == (top_nepers is not None)
    banks = [
        [w for w in numbers if w.size > 3000 and np.count_nonzero(w) < w.size / 3]
        for numbers in (tables(wrapped.as_it_came), tables(wrapped.cut))
    ]
    assert [len(found) for found in banks] == [1, 0]
    agree(wrapped)


def tables(cut: Cut) -> list[NDArray[Any]]:
    """The numbers stored in the frontend, a Scan's as well."""
    scans = [node for node in cut.traced.frontend.graph.node if node.op_type == "Scan"]
    graphs = [cut.traced.frontend.graph, *(scan.attribute[0].g for scan in scans)]
    return [numpy_helper.to_array(w) for graph in graphs for w in graph.initializer]


def operators(wrapped: Wrapped, *, written: bool) -> list[str]:
    cut = wrapped.cut if written else wrapped.as_it_came
    return [node.op_type for node in cut.traced.frontend.graph.node]
