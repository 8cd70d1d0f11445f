"""A real bundle, small: a convolution on the waveform, exported to fp32 and int8 for onnxruntime.

Its original is the same network in numpy, so parity here means what it means for PyTorch: two
implementations agree. It lies on disk as a training run does, and an installed package
(`installed_original`) offers it through the entry-point group `earlet.originals`.
"""

import dataclasses
import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from safetensors.numpy import save_file

from earlet.bundle import find
from earlet.golden import GoldenRecord, digest, signals
from earlet.labelled import read_labelled
from earlet.manifest import (
    MANIFEST_FILE,
    METADATA_KEY,
    PRECISION_KEY,
    Golden,
    Graph,
    Manifest,
    OperatingPoint,
    Provenance,
    WindowPolicy,
)
from earlet_bench.device import this_device
from earlet_bench.latency import Budget
from earlet_bench.measure import Plan, measure_bundle
from earlet_bench.rows import Row

Floats = NDArray[np.float32]

RATE_HZ, WINDOW, KERNEL, STRIDE, CHANNELS = 8_000, 4_000, 64, 32, 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class NumpyOriginal:
    """The network as its author wrote it: conv -> relu -> mean over time -> linear."""

    kernels: Floats
    weight: Floats
    bias: Floats

    def logits(self, windows: Floats) -> Floats:
        """Windows [B, T] -> logits [B, 2], summed in float64."""
        frames = sliding_window_view(windows.astype(np.float64), KERNEL, axis=1)[:, ::STRIDE]
        features = np.maximum(frames @ self.kernels.T.astype(np.float64), 0).mean(axis=1)
        logits: Floats = (features @ self.weight + self.bias).astype(np.float32)
        return logits

    def features(self, windows: Floats) -> Floats:
        """Windows [B, T] -> frames [B, N, KERNEL]: what the model sees."""
        frames: Floats = sliding_window_view(windows, KERNEL, axis=1)[:, ::STRIDE]
        return frames


@pytest.fixture(scope="session")
def original() -> NumpyOriginal:
    rng = np.random.default_rng(20)
    return NumpyOriginal(
        kernels=rng.normal(size=(CHANNELS, KERNEL)).astype(np.float32),
        weight=rng.normal(size=(CHANNELS, 2)).astype(np.float32),
        bias=rng.normal(size=2).astype(np.float32),
    )


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, original: NumpyOriginal) -> Path:
    """The folder that training left: one checkpoint."""
    folder = tmp_path_factory.mktemp("run")
    save_file(
        {"kernels": original.kernels, "weight": original.weight, "bias": original.bias},
        folder / "best.safetensors",
    )
    return folder


# What the package of an original has to offer: this one in numpy alone.
_LOADER = """
import hashlib
import numpy as np
from safetensors.numpy import load

class Original:
    def __init__(self, data):
        self.sha256, self.weights = hashlib.sha256(data).hexdigest(), load(data)

    def logits(self, windows):
        view = np.lib.stride_tricks.sliding_window_view(windows.astype(np.float64), 64, axis=1)
        features = np.maximum(view[:, ::32] @ self.weights["kernels"].T, 0).mean(axis=1)
        return (features @ self.weights["weight"] + self.weights["bias"]).astype(np.float32)

def load_original(run, *, threads=1):
    return Original((run / "best.safetensors").read_bytes())
"""


@pytest.fixture
def installed_original(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with an original, installed for this process and those that it starts."""
    site = tmp_path / "site"
    about = site / "small_original-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "small_original.py").write_text(_LOADER)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: small-original\nVersion: 1.0\n")
    # The first by name is asked; the PyTorch one is installed here too, as `checkpoint`.
    (about / "entry_points.txt").write_text(
        "[earlet.originals]\na_small_one = small_original:load_original\n"
    )
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, original: NumpyOriginal, run: Path) -> Path:
    """The bundle, made once; tests that change it work on a copy (`bundle`)."""
    folder = tmp_path_factory.mktemp("exported") / "small"
    folder.mkdir()
    window = WindowPolicy(window_samples=WINDOW, hop_samples=WINDOW // 2, min_samples=800)
    waves = signals(window=window, sample_rate_hz=RATE_HZ)
    batch = np.stack(list(waves.values()))
    answers = original.logits(batch)
    features = original.features(batch).reshape(len(batch), -1)
    golden = GoldenRecord(
        names=tuple(waves),
        logits=answers,
        feature_summary=np.stack([features.mean(axis=1), features.std(axis=1)], axis=1),
        signals_sha256=digest(waves),
    )
    golden.save(folder / "golden.npz")
    _onnx(original, folder / "fp32.onnx")
    _quantize(folder / "fp32.onnx", folder / "int8.onnx", calibration=batch)
    write_manifest(
        folder,
        window=window,
        tolerances={"fp32": 1e-4, "int8": 0.5},
        checkpoint_sha256=_sha256(run / "best.safetensors"),
    )
    return folder


@pytest.fixture
def bundle(exported: Path, tmp_path: Path) -> Path:

    return Path(shutil.copytree(exported, tmp_path / "small"))


@pytest.fixture
def lying_bundle(bundle: Path) -> Path:
    """All hashes right, and an original that is said to have answered something else."""
    record = GoldenRecord.load(bundle / "golden.npz")
    logits = record.logits.copy()
    logits[5, 1] += 1.0
    dataclasses.replace(record, logits=logits).save(bundle / "golden.npz")
    file = bundle / MANIFEST_FILE
    manifest = Manifest.from_json(file.read_text(), source=str(file))
    golden = dataclasses.replace(manifest.golden, sha256=_sha256(bundle / "golden.npz"))
    file.write_text(dataclasses.replace(manifest, golden=golden).to_json())
    return bundle


def write_manifest(
    folder: Path, *, window: WindowPolicy, tolerances: dict[str, float], checkpoint_sha256: str
) -> None:
    """Sign the files that lie in `folder`: inside each graph first, then all hashes outside."""
    graphs = {
        precision: Graph(
            file=f"{precision}.onnx",
            sha256="",
            size_bytes=0,
            max_abs_logit=tolerances[precision],
            decision_flips=0,
            decisions=17,
        )
        for precision in ("fp32", "int8")
    }
    manifest = Manifest(
        name="small",
        version="0.1.0",
        labels=("bonafide", "spoof"),
        positive="spoof",
        sample_rate_hz=RATE_HZ,
        window=window,
        threshold=0.0,
        operating_point=OperatingPoint(name="eer", data="dev", miss_rate=0.2, false_alarm_rate=0.2),
        graphs=graphs,
        default_precision="int8",
        golden=Golden(file="golden.npz", sha256="", tolerances=tolerances),
        provenance=Provenance(
            recipe="small",
            checkpoint_sha256=checkpoint_sha256,
            training_data="none",
            versions={"numpy": np.__version__},
            created="2026-11-21T00:00:00Z",
        ),
    )
    for precision in graphs:
        file = folder / f"{precision}.onnx"
        model = onnx.load(file)
        helper.set_model_props(
            model, {METADATA_KEY: manifest.without_hashes().to_json(), PRECISION_KEY: precision}
        )
        onnx.save(model, file)
        graphs[precision] = dataclasses.replace(
            graphs[precision], sha256=_sha256(file), size_bytes=file.stat().st_size
        )
    signed = dataclasses.replace(
        manifest,
        graphs=graphs,
        golden=dataclasses.replace(manifest.golden, sha256=_sha256(folder / "golden.npz")),
    )
    (folder / MANIFEST_FILE).write_text(signed.to_json(), encoding="utf-8")


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _onnx(original: NumpyOriginal, file: Path) -> None:
    nodes = [
        helper.make_node(
            "Unsqueeze", ["waveform", "axis"], ["one_channel"], name="frontend/unsqueeze"
        ),
        helper.make_node(
            "Conv", ["one_channel", "kernels"], ["filtered"], strides=[STRIDE], name="frontend/conv"
        ),
        helper.make_node("Relu", ["filtered"], ["rectified"], name="model/relu"),
        helper.make_node("GlobalAveragePool", ["rectified"], ["mean"], name="model/pool"),
        helper.make_node("Flatten", ["mean"], ["flat"], name="model/flatten"),
        helper.make_node("Gemm", ["flat", "weight", "bias"], ["logits"], name="model/gemm"),
    ]
    constants = {
        "axis": np.array([1]),
        "kernels": original.kernels[:, None],
        "weight": original.weight,
        "bias": original.bias,
    }
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["B", WINDOW])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", 2])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, file)


def _quantize(fp32: Path, int8: Path, *, calibration: Floats) -> None:
    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rows = iter(calibration)

        def get_next(self) -> dict[str, Any] | None:
            row = next(self.rows, None)
            return None if row is None else {"waveform": row[None]}

    quantize_static(
        fp32,
        int8,
        Reader(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
    )


@pytest.fixture(scope="session")
def corpus(tone_corpus: Path) -> Path:
    """A labelled tree at the bundle's rate."""
    return tone_corpus


@pytest.fixture(scope="session")
def rows(exported: Path, corpus: Path) -> list[Row]:
    """What a real measurement gave: fp32 and int8, few rounds."""
    plan = Plan(
        budget=Budget(rounds=12),
        cold_starts=1,
        labelled=read_labelled(corpus, limit=None, seed=0),
    )
    return measure_bundle(find(exported), plan=plan, device=this_device())
