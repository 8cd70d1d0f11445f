"""`earlet adopt` on a model that someone else made: a bundle with the whole proof, or none."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from earlet.bundle import Bundle
from earlet.cli import run
from earlet.detector import Detector
from earlet.errors import BundleError, ParityError, UsageError
from earlet_export.export import Exported
from earlet_export.foreign.adopt import adopt_model, open_model
from earlet_export.foreign.cli import adopt
from earlet_export.foreign.spec import Spec, parse_spec
from earlet_export.material import Material, gather

PIECE = 1000
STEP = 100

MANIFEST = """
name = "someones"
version = "3"
description = "Tells noise from a wavering tone, by how much its spectrum moves."
licence = "MIT"
training_data = "None: it was written by hand."
intended_use = "For these tests."
limits = "It knows two sounds."
origin = "The tests."
labels = ["bonafide", "spoof"]
positive = "spoof"

[data]
sample_rate_hz = 16000
window_samples = 8000
hop_samples = 4000
min_samples = 4000
short = "zero"

[input]
name = "input"
constants = {sr = 16000}

[chunks]
samples = 1000
pool = "mean"
states = {state = "stateN"}

[output]
name = "output"
means = "probability"

[export]
calibration_clips = 8

[promises]
int8_max_flip_rate = 0.1
int8_max_eer_increase = 0.1
"""


def someones() -> onnx.ModelProto:
    """Pieces of 1000 samples -> log power in 16 bands -> two layers -> a leaky memory -> sigmoid.

    The second layer weighs high bands against low ones, so it does tell tones from noise.
    """
    n = np.arange(200)
    hz = np.linspace(200, 7600, 16)[:, None]
    dft = (np.hanning(200) * np.cos(2 * np.pi * hz * n / 16_000) / 8)[:, None]
    rng = np.random.default_rng(0)
    mix = np.eye(16)[:, :, None] + 0.05 * rng.normal(size=(16, 16, 1))
    weights = {
        "rate": np.array(16000, dtype=np.int64),
        "dft": dft,
        "two": np.array(2.0),
        "floor": np.array(1e-7),
        "mix": mix,
        "lean": np.where(hz[:, 0] > 2500, 1.0, -1.0)[None, :, None] * 0.02,
        "lift": np.array([0.0]),
        "leak": np.array(0.5),
        "one": np.array([1], dtype=np.int64),
    }
    node = helper.make_node
    heard = [
        node("Unsqueeze", ["input", "one"], ["x"]),
        node("Conv", ["x", "dft"], ["bands"], strides=[STEP]),
        node("Pow", ["bands", "two"], ["power"]),
        node("Max", ["power", "floor"], ["floored"]),
        node("Log", ["floored"], ["log"]),
        node("Conv", ["log", "mix"], ["mixed"]),
        node("Conv", ["mixed", "lean", "lift"], ["leaning"]),
        node("ReduceMean", ["leaning"], ["now"], axes=[2], keepdims=0),
        node("Mul", ["state", "leak"], ["faded"]),
        node("Add", ["faded", "now"], ["next"]),
        node("Sigmoid", ["next"], ["p"]),
    ]
    ends = [helper.make_tensor_value_info(name, 1, None) for name in ("p", "next")]
    otherwise = helper.make_graph(
        [node("Identity", ["state"], ["p8"]), node("Identity", ["state"], ["n8"])],
        "other rate",
        [],
        [helper.make_tensor_value_info(name, 1, None) for name in ("p8", "n8")],
    )
    graph = helper.make_graph(
        [
            node("Equal", ["sr", "rate"], ["is16"]),
            node(
                "If",
                ["is16"],
                ["output", "stateN"],
                then_branch=helper.make_graph(heard, "this rate", [], ends),
                else_branch=otherwise,
            ),
        ],
        "someones",
        [
            helper.make_tensor_value_info("input", TensorProto.FLOAT, ["B", PIECE]),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, ["B", 1]),
            helper.make_tensor_value_info("sr", TensorProto.INT64, []),
        ],
        [helper.make_tensor_value_info(name, 1, None) for name in ("output", "stateN")],
        [
            numpy_helper.from_array(v if v.dtype == np.int64 else v.astype(np.float32), name)
            for name, v in weights.items()
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("theirs") / "someones.onnx"
    onnx.save(someones(), file)
    return file


@pytest.fixture(scope="module")
def spec() -> Spec:
    return parse_spec(MANIFEST, source="someones.toml")


@pytest.fixture(scope="module")
def heard(corpus: Path, spec: Spec) -> Material:
    return gather(
        corpus,
        positive=spec.positive,
        window=spec.data.window,
        sample_rate_hz=spec.data.sample_rate_hz,
        calibration_clips=8,
        proof_clips=24,
        held_out_clips=0,
        rng=np.random.default_rng(0),
    )


@pytest.fixture(scope="module")
def adopted(
    tmp_path_factory: pytest.TempPathFactory, model_file: Path, spec: Spec, heard: Material
) -> Path:
    out = tmp_path_factory.mktemp("bundles") / "someones"
    adopt_model(open_model(str(model_file), spec), heard, out=out, data="sounds")
    return out


def test_the_bundle_verifies_and_its_detector_answers(adopted: Path, heard: Material) -> None:
    assert run(["verify", str(adopted)]) == 0
    detector = Detector(Bundle.open(adopted))
    wave = heard.trials[0].windows[0]
    verdict = detector(wave, 16_000)
    assert verdict.label in ("bonafide", "spoof")
    assert Bundle.open(adopted).precisions == ("fp32", "int8")


def test_it_does_tell_the_two_sounds_apart(adopted: Path) -> None:
    report = json.loads((adopted / "report.json").read_text())
    assert report["original_eer"]["eer"] < 0.3
    assert report["rungs"]["fp32"]["max_abs_logit"] < 1e-4
    assert report["away_from_the_file"] < 1e-5
    assert report["squashing_removed"]


def test_every_assumption_is_on_the_card(adopted: Path) -> None:
    card = (adopted / "card.md").read_text()
    for words in (
        "not trained with earlet",
        "`sr` = 16000",
        "pieces of 1000 samples with 0 from before each",
        "`state` from `stateN`",
        "score is the mean of its 8 pieces'",
        "cut before the last squashing",
        "stays float",
        "from set 16 to 18",
        "For these tests.",
        "It knows two sounds.",
        "MIT",
    ):
        assert words in card


def test_the_manifest_of_the_bundle_holds_the_toml_and_the_originals_hash(
    adopted: Path, model_file: Path
) -> None:
    from earlet.bundle import sha256

    made = Bundle.open(adopted).manifest.provenance
    assert made.recipe == MANIFEST
    assert made.checkpoint_sha256 == sha256(model_file.read_bytes())
    assert made.licence == "MIT"


def test_the_pictures_are_listed_and_small(adopted: Path) -> None:
    manifest = Bundle.open(adopted).manifest
    for name in ("scores.png", "det.png", "layers.png"):
        assert name in manifest.files
        assert (adopted / name).stat().st_size < 60_000
        assert f"({name})" in (adopted / "report.md").read_text()


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_lone_graph_is_sealed_from_its_first_byte_to_its_last(
    adopted: Path, tmp_path: Path, precision: str
) -> None:
    whole = (adopted / f"{precision}.onnx").read_bytes()
    file = tmp_path / "lone.onnx"
    file.write_bytes(whole)
    assert Bundle.open(file).precisions == (precision,)
    for at in np.random.default_rng(0).integers(0, len(whole) - 100, size=40):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(BundleError):
            Bundle.open(file)
    file.write_bytes(whole.replace(b'"positive": "spoof"', b'"positive": "human"'))
    with pytest.raises(BundleError, match="changed after it was exported: its seal"):
        Bundle.open(file)


def test_another_original_breaks_the_proof_of_golden_answers(
    adopted: Path, tmp_path: Path, heard: Material, spec: Spec
) -> None:
    """Fp32 must be this file's: one weight of the wrapped graph changed is seen at once."""
    model = someones()
    lean = next(w for w in model.graph.initializer if w.name == "lean")
    changed = numpy_helper.to_array(lean).copy()
    changed[0, 3, 0] += 0.01
    lean.CopyFrom(numpy_helper.from_array(changed, "lean"))
    onnx.save(model, tmp_path / "other.onnx")
    out = tmp_path / "other"
    adopt_model(
        open_model(str(tmp_path / "other.onnx"), spec),
        heard,
        out=out,
        data="sounds",
        precision="fp32",
        pictures=False,
    )
    golden = Bundle.open(adopted).golden().logits
    assert np.abs(Bundle.open(out).golden().logits - golden).max() > 1e-3
    assert not list(out.glob("*.png"))


def test_the_bundle_holds_against_the_file_it_was_made_of(
    adopted: Path, model_file: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["verify", str(adopted), "--against", str(model_file), "--data", str(corpus)]
    assert run([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["against"]
    assert found["broken"] == []
    assert found["recordings"] == 24
    assert found["features"]["int8"]["max_abs"] < 1e-4
    assert found["rungs"]["fp32"]["max_abs_logit"] < 1e-4
    assert found["away_from_the_file"] < 1e-5
    assert run(command) == 0
    assert "every promise of its manifest is kept" in capsys.readouterr().out


@pytest.mark.parametrize(("weight", "hears"), [("dft", True), ("lean", False)])
def test_another_file_is_found_out_and_at_which_depth(
    weight: str,
    hears: bool,
    adopted: Path,
    tmp_path: Path,
    corpus: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A weight of the frontend moves the features, one behind it the logits alone."""
    model = someones()
    theirs = next(w for w in model.graph.initializer if w.name == weight)
    theirs.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(theirs) * 1.5, weight))
    other = tmp_path / "other.onnx"
    onnx.save(model, other)
    assert run(["verify", str(adopted), "--against", str(other), "--data", str(corpus)]) == 1
    said = capsys.readouterr().out
    assert "BROKEN: the bundle's original is not what it was made of" in said
    assert "BROKEN: the golden answers are not the original's" in said
    assert ("hears other features" in said) is hears


def test_what_cannot_be_held_against_a_file_is_refused(
    adopted: Path,
    exported: Exported,
    model_file: Path,
    corpus: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["verify", str(adopted), "--against", str(model_file)]) == 2
    assert "--data FOLDER" in capsys.readouterr().err
    own = ["verify", str(exported.path), "--data", str(corpus), "--against"]
    assert run([*own, str(model_file)]) == 4
    assert "not adopted from someone's model" in capsys.readouterr().err
    assert run([*own, "nothere.onnx"]) == 4


def test_a_promise_that_int8_breaks_leaves_no_bundle(
    model_file: Path, heard: Material, tmp_path: Path
) -> None:
    strict = MANIFEST.replace("[promises]", "[promises]\nfp32_max_abs_logit = 1e-12")
    chosen = parse_spec(strict, source="strict.toml")
    with pytest.raises(ParityError, match=r"fp32 moves a logit .* No bundle was written"):
        adopt_model(open_model(str(model_file), chosen), heard, out=tmp_path / "b", data="sounds")
    assert list(tmp_path.iterdir()) == []


def test_the_help_shows_a_manifest_that_parses(capsys: pytest.CaptureFixture[str]) -> None:
    """Line by line, as it is to be typed; what it shows is what the program reads."""
    assert run(["adopt", "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    begin = next(i for i, line in enumerate(lines) if "with every table" in line) + 1
    shown = [line.strip() for line in lines[begin : lines.index("", begin)]]
    assert len(shown) > 30
    text = "\n".join(shown)
    found = parse_spec(text.replace("or calibrate = true", ""), source="--help")
    assert found.chunks is not None
    assert found.chunks.states == {"state": "stateN"}
    assert found.export.seam == "tensor name"


def test_the_verb_tells_a_foreign_model_from_released_weights(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs --data CORPUS and --out FOLDER"):
        adopt("m.onnx", manifest=tmp_path / "m.toml")
    with pytest.raises(UsageError, match="say what the model is: --manifest"):
        adopt("m.onnx", corpus=tmp_path, out=tmp_path / "b")
    with pytest.raises(UsageError, match="say what the model is: --manifest"):
        adopt("a", tmp_path / "w.pth", manifest=tmp_path / "m.toml", corpus=tmp_path, out=tmp_path)
