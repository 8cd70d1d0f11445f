"""Who notices a bundle that was tampered with: its hashes, its golden answers, or its original.

Three forgers, each more careful than the one before:

- the careless one changes a file and leaves the hashes: `earlet verify` refuses it (exit 4);
- the tidy one writes new hashes, and the manifest inside the graphs anew: `earlet verify` replays
  the golden signals, and a graph that is not the original's answers otherwise (exit 1);
- the careful one makes golden answers to fit as well: `earlet verify` has nothing left to compare
  with, and only `earlet verify --against CHECKPOINT` tells (exit 1).
"""

import dataclasses
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.calibrate import CalibrationDataReader

from earlet.against import Plan
from earlet.bundle import Bundle, sha256
from earlet.cli import run
from earlet.errors import BundleError, ParityError
from earlet.golden import GoldenRecord, signals
from earlet.manifest import Manifest
from earlet.replay import replay
from earlet.session import Session
from earlet_export.against import Against, climb_bundle
from earlet_export.export import Exported
from earlet_export.join import join, with_manifest
from earlet_export.material import Material
from earlet_export.quiet import quiet
from earlet_export.trace import Traced, trace
from earlet_train.checkpoint import Checkpoint
from earlet_train.network import build_network

Array = NDArray[np.float32]
Forge = Callable[..., Path]


@pytest.fixture
def copy(exported: Exported, tmp_path: Path) -> Path:
    """The bundle as it was exported, to tamper with."""
    return Path(shutil.copytree(exported.path, tmp_path / "forged"))


@pytest.fixture
def tidy(copy: Path) -> Forge:
    """Writes a bundle whose hashes all fit: `tidy(graphs={"fp32": model}, threshold=1.0)`."""

    def write(
        graphs: Mapping[str, onnx.ModelProto] | None = None,
        record: GoldenRecord | None = None,
        **changes: object,
    ) -> Path:
        return _write(copy, graphs or {}, record, **changes)

    return write


@pytest.fixture
def careful(tidy: Forge) -> Forge:
    """The same, and golden answers and tolerances that the forged graphs satisfy."""

    def write(graphs: Mapping[str, onnx.ModelProto] | None = None, **changes: object) -> Path:
        folder = tidy(graphs, **changes)
        bundle = Bundle.open(folder)
        manifest, precision = bundle.manifest, "fp32"
        if graphs and "fp32" not in graphs:
            precision = next(iter(graphs))
        session = bundle.session(precision)
        waves = signals(window=manifest.window, sample_rate_hz=manifest.sample_rate_hz)
        said = np.concatenate([session.logits(wave[None]) for wave in waves.values()])
        record = dataclasses.replace(bundle.golden(), logits=said)
        wide = dataclasses.replace(
            manifest.golden, tolerances=dict.fromkeys(manifest.golden.tolerances, 1e6)
        )
        return tidy(graphs, record, golden=wide, **changes)

    return write


@pytest.fixture
def climb(run_folder: Path, corpus: Path) -> Callable[[Path], Against]:
    """`earlet verify FOLDER --against RUN --data CORPUS`, as a function."""

    def against(folder: Path) -> Against:
        bundle = Bundle.open(folder)
        bundle.check_files()
        return climb_bundle(
            bundle,
            run_folder,
            Plan(
                precisions=bundle.precisions,
                data=corpus,
                split="dev",
                limit=24,
                threads=1,
                skip_bad=False,
                on_step=lambda _: None,
            ),
        )

    return against


@pytest.fixture(scope="session")
def fp32(exported: Exported) -> onnx.ModelProto:
    return onnx.load(exported.path / "fp32.onnx")


@pytest.fixture(scope="session")
def one_weight(fp32: onnx.ModelProto) -> onnx.ModelProto:
    """The fp32 graph with one weight of the model's first convolution changed."""
    changed = onnx.ModelProto()
    changed.CopyFrom(fp32)
    conv = next(
        node
        for node in changed.graph.node
        if node.op_type == "Conv" and node.name.startswith("model/")
    )
    weight = next(w for w in changed.graph.initializer if w.name == conv.input[1])
    values = numpy_helper.to_array(weight).copy()
    values.reshape(-1)[0] += 0.5 * np.abs(values).max()
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    return changed


@pytest.fixture(scope="session")
def hamming(checkpoint: Checkpoint, traced: Traced) -> onnx.ModelProto:
    """The same weights behind a spectrum that is tapered by Hamming's window, not Hann's."""
    recipe = checkpoint.recipe
    settings = dataclasses.replace(recipe.frontend.settings, window="hamming")
    other = dataclasses.replace(
        recipe, frontend=dataclasses.replace(recipe.frontend, settings=settings)
    )
    network = build_network(other)
    network.load_state_dict(checkpoint.weights)
    forged = trace(network.eval(), window_samples=recipe.data.window_samples)
    return join(forged.frontend, traced.model)


@pytest.fixture(scope="session")
def all_int8(
    traced: Traced, material: Material, tmp_path_factory: pytest.TempPathFactory
) -> onnx.ModelProto:
    """What a general quantizer makes of the whole graph, its frontend and all."""
    folder = tmp_path_factory.mktemp("all-int8")
    onnx.save(join(traced.frontend, traced.model), folder / "fp32.onnx")
    with quiet():
        quantize_static(
            folder / "fp32.onnx",
            folder / "int8.onnx",
            _Clips(material.calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    return onnx.load(folder / "int8.onnx")


@pytest.fixture(scope="session")
def other_golden(exported: Exported) -> GoldenRecord:
    """The golden answers of a model that is a little less sure."""
    record = Bundle.open(exported.path).golden()
    return dataclasses.replace(record, logits=record.logits * np.float32(0.9))


def test_the_untouched_bundle_passes_all_three(
    exported: Exported, climb: Callable[[Path], Against]
) -> None:
    bundle = Bundle.open(exported.path)
    assert all(replay(bundle, precision).ok for precision in bundle.precisions)
    found = climb(exported.path)
    assert found.broken == ()
    assert found.recordings == 24
    assert found.lines()[-1].startswith("every promise of the recipe is kept")


def test_tidying_alone_changes_nothing(
    tidy: Forge, fp32: onnx.ModelProto, climb: Callable[[Path], Against]
) -> None:
    """So that the tests below catch what was forged, not how it was packed."""
    folder = tidy({"fp32": fp32})
    Bundle.open(folder).check_files()
    assert replay(Bundle.open(folder), "fp32").ok
    assert climb(folder).broken == ()


# One weight changed in the fp32 graph.


def test_one_weight_changed_carelessly_is_caught_by_its_hash(
    copy: Path, one_weight: onnx.ModelProto
) -> None:
    (copy / "fp32.onnx").write_bytes(one_weight.SerializeToString())
    with pytest.raises(BundleError, match=r"fp32\.onnx"):
        Bundle.open(copy).check_files()


def test_one_weight_changed_tidily_is_caught_by_the_golden_answers(
    tidy: Forge, one_weight: onnx.ModelProto
) -> None:
    found = replay(Bundle.open(tidy({"fp32": one_weight})), "fp32")
    assert found.finite
    assert not found.ok


def test_one_weight_changed_carefully_is_caught_by_the_original(
    careful: Forge, one_weight: onnx.ModelProto, climb: Callable[[Path], Against]
) -> None:
    folder = careful({"fp32": one_weight})
    assert replay(Bundle.open(folder), "fp32").ok, "this forger fools the golden answers"
    broken = climb(folder).broken
    assert any("fp32 moves a logit by" in one for one in broken)
    assert any("golden answers are not the original's" in one for one in broken)
    assert any("lets the fp32 graph stray by 1e+06" in one for one in broken)


# Labels swapped.


def test_labels_swapped_carelessly_are_caught_by_the_manifest_inside_the_graph(
    copy: Path,
) -> None:
    manifest = _manifest(copy)
    swapped = dataclasses.replace(manifest, labels=manifest.labels[::-1])
    (copy / "manifest.json").write_text(swapped.to_json())
    with pytest.raises(BundleError, match="is not the manifest that"):
        Bundle.open(copy).session("fp32")


def test_labels_swapped_tidily_are_caught_by_the_original_not_by_the_golden_answers(
    tidy: Forge, climb: Callable[[Path], Against]
) -> None:
    folder = tidy(labels=("spoof", "bonafide"))
    assert replay(Bundle.open(folder), "fp32").ok, "logits have no names"
    (broken,) = climb(folder).broken
    assert "labels, in the order of the logits is not the checkpoint's" in broken


# The window of the DFT replaced.


def test_another_dft_window_put_in_tidily_is_caught_by_the_golden_answers(
    tidy: Forge, hamming: onnx.ModelProto
) -> None:
    assert not replay(Bundle.open(tidy({"fp32": hamming})), "fp32").ok


def test_another_dft_window_put_in_carefully_is_caught_by_the_features_of_the_original(
    careful: Forge, hamming: onnx.ModelProto, climb: Callable[[Path], Against]
) -> None:
    folder = careful({"fp32": hamming})
    assert replay(Bundle.open(folder), "fp32").ok, "this forger fools the golden answers"
    found = climb(folder)
    assert any("the frontend of the fp32 graph gives other features" in b for b in found.broken)
    assert not any("frontend of the int8 graph" in b for b in found.broken)


# The threshold moved in the manifest.


def test_a_threshold_moved_carelessly_is_caught_by_the_manifest_inside_the_graph(
    copy: Path,
) -> None:
    manifest = _manifest(copy)
    moved = dataclasses.replace(manifest, threshold=manifest.threshold + 1)
    (copy / "manifest.json").write_text(moved.to_json())
    with pytest.raises(BundleError, match="is not the manifest that"):
        Bundle.open(copy).session("int8")


def test_a_threshold_moved_tidily_is_caught_by_the_original_not_by_the_golden_answers(
    tidy: Forge, exported: Exported, climb: Callable[[Path], Against]
) -> None:
    folder = tidy(threshold=exported.manifest.threshold + 1)
    assert replay(Bundle.open(folder), "fp32").ok, "logits know no threshold"
    (broken,) = climb(folder).broken
    assert broken.startswith("the manifest's threshold is not the checkpoint's: it says")


# A graph quantized frontend and all.


def test_a_frontend_quantized_too_and_packed_carefully_is_caught_by_the_features_of_the_original(
    careful: Forge, all_int8: onnx.ModelProto, climb: Callable[[Path], Against]
) -> None:
    folder = careful({"int8": all_int8})
    assert replay(Bundle.open(folder), "int8").ok, "this forger fools the golden answers"
    # Eight bits round the floor under the logarithm to zero.
    with pytest.raises(ParityError, match=r"the int8 graph .* gives features that are not finite"):
        climb(folder)


def test_a_frontend_quantized_too_and_packed_tidily_is_caught_by_the_golden_answers(
    tidy: Forge, all_int8: onnx.ModelProto
) -> None:
    assert not replay(Bundle.open(tidy({"int8": all_int8})), "int8").ok


# Golden answers of another model.


def test_golden_answers_of_another_model_are_caught_by_their_hash(
    copy: Path, other_golden: GoldenRecord
) -> None:
    other_golden.save(copy / "golden.npz")
    with pytest.raises(BundleError, match=r"golden\.npz"):
        Bundle.open(copy).check_files()


def test_golden_answers_of_another_model_put_in_tidily_are_caught_by_the_graphs(
    tidy: Forge, other_golden: GoldenRecord
) -> None:
    assert not replay(Bundle.open(tidy(record=other_golden)), "fp32").ok


def test_golden_answers_of_another_model_put_in_carefully_are_caught_by_the_original(
    tidy: Forge,
    exported: Exported,
    other_golden: GoldenRecord,
    climb: Callable[[Path], Against],
) -> None:
    wide = dataclasses.replace(exported.manifest.golden, tolerances={"fp32": 1e6, "int8": 1e6})
    folder = tidy(record=other_golden, golden=wide)
    assert replay(Bundle.open(folder), "fp32").ok, "this forger fools the golden answers"
    assert any("golden answers are not the original's" in b for b in climb(folder).broken)


# The exit codes of all that.


def test_the_command_says_in_words_what_the_original_caught_and_leaves_with_1(
    careful: Forge,
    one_weight: onnx.ModelProto,
    run_folder: Path,
    corpus: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = careful({"fp32": one_weight})
    assert run(["verify", str(folder)]) == 0
    capsys.readouterr()
    code = run(["verify", str(folder), "--against", str(run_folder), "--data", str(corpus)])
    out = capsys.readouterr().out
    assert code == 1
    assert "BROKEN: fp32 moves a logit by" in out
    for depth in ("features:", "logits:", "decisions:"):
        assert depth in out.splitlines()


class _Clips(CalibrationDataReader):  # type: ignore[misc]
    """Windows for a general quantizer."""

    def __init__(self, windows: Array) -> None:
        self._windows = iter(windows)

    def get_next(self) -> dict[str, Array] | None:
        window = next(self._windows, None)
        return None if window is None else {"waveform": window[None]}


def _manifest(folder: Path) -> Manifest:
    return Manifest.from_json((folder / "manifest.json").read_text(), source="manifest.json")


def _write(
    folder: Path,
    graphs: Mapping[str, onnx.ModelProto],
    record: GoldenRecord | None,
    **changes: object,
) -> Path:
    """Everything anew: the manifest inside each graph, golden.npz, all hashes and sizes."""
    manifest = dataclasses.replace(_manifest(folder), **changes)  # type: ignore[arg-type]
    listed = {}
    for precision, graph in manifest.graphs.items():
        file = folder / graph.file
        model = graphs.get(precision) or onnx.load(file)
        data = with_manifest(model, manifest, precision=precision)
        Session(data, source=graph.file)
        file.write_bytes(data)
        listed[precision] = dataclasses.replace(graph, sha256=sha256(data), size_bytes=len(data))
    if record is not None:
        (folder / "golden.npz").write_bytes(record.to_bytes())
    golden = dataclasses.replace(
        manifest.golden, sha256=sha256((folder / "golden.npz").read_bytes())
    )
    written = dataclasses.replace(manifest, graphs=listed, golden=golden)
    (folder / "manifest.json").write_text(written.to_json())
    return folder
