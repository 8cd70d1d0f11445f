"""A bundle that streams: written with its proof, heard by the runtime; refused where it cannot."""

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

import earlet
from earlet.bundle import Bundle
from earlet.cli import run
from earlet.errors import BundleError, ParityError
from earlet.replay_stream import replay_stream
from earlet.streaming import Streaming
from earlet_export.export import Exported, export_bundle
from earlet_export.material import Material
from earlet_export.streaming.flow import Blocked
from earlet_export.streaming.frontend import Framing, framing
from earlet_train.checkpoint import Checkpoint
from earlet_train.network import build_network
from earlet_train.recipe import Recipe, parse_recipe

Array = NDArray[np.float32]


def variant(checkpoint: Checkpoint, *, model: str = "", frontend: str = "") -> Checkpoint:
    """The same weights under a recipe that wants to stream."""
    text = checkpoint.recipe.text
    text = text.replace('kind = "narrow-cnn"', f'kind = "narrow-cnn"\n{model}')
    text = text.replace('kind = "bands"', f'kind = "bands"\n{frontend}')
    text = text.replace("[export]", '[export]\nstream = "exact"')
    return dataclasses.replace(checkpoint, recipe=parse_recipe(text, source="tests"))


@pytest.fixture(scope="module")
def streaming(
    checkpoint: Checkpoint, material: Material, tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    return export_bundle(
        variant(checkpoint, model='time_edges = "valid"'),
        material,
        out=tmp_path_factory.mktemp("bundles") / "stream",
        data="sounds",
        precision="int8",
        pictures=False,
    )


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_runtime_streams_what_the_detector_says_of_each_window(
    streaming: Exported, corpus: Path, precision: str
) -> None:
    files = sorted(corpus.glob("**/*.flac"))[:12]
    sound = np.concatenate([soundfile.read(file, dtype="float32")[0] for file in files])
    detector = earlet.load(streaming.path, precision=precision)
    stream = detector.stream()
    assert stream.kind == "exact"
    heard = [
        v
        for start in range(0, len(sound), 1234)
        for v in stream.accept(sound[start : start + 1234], 16_000)
    ]
    heard += stream.finish()
    contract = streaming.manifest.stream
    assert contract is not None
    window = streaming.manifest.window.window_samples
    starts = range(0, len(sound) - window + 1, contract.chunk_samples)
    assert [round(v.start_s * 16_000) for v in heard] == list(starts)
    for verdict, start in zip(heard, starts, strict=True):
        alone = detector(sound[start : start + window], 16_000)
        assert verdict.score == pytest.approx(alone.score, abs=1e-5)
        assert verdict.label == alone.label


def test_the_report_holds_the_proof_and_what_it_costs(streaming: Exported) -> None:
    found = streaming.report.streams
    assert found is not None
    assert set(found.rungs) == {"fp32", "int8"}
    for rung in found.rungs.values():
        assert rung.windows > 200
        assert rung.max_abs_logit <= 5e-6
        assert rung.flips == 0
    ratios = {cost.candidate: cost.ratio for cost in found.costs}
    assert ratios["fp32 window"] == 1
    assert ratios["fp32 stream"] < 1
    page = (streaming.path / "report.md").read_text()
    assert "## On sound as it arrives" in page
    data = json.loads((streaming.path / "report.json").read_text())
    assert data["streams"]["rungs"]["int8"]["identical"] > 0


def test_the_bundle_lists_and_guards_its_streaming_graphs(
    streaming: Exported, tmp_path: Path
) -> None:
    bundle = Bundle.open(streaming.path)
    assert {"fp32.stream.onnx", "int8.stream.onnx"} <= set(bundle.check_files())
    contract = bundle.manifest.stream
    assert contract is not None
    kinds = {s.dtype for s in contract.graphs["int8"].states if s.name != "state/waveform"}
    assert kinds == {"uint8"}
    # Windows and streams alike have their maps moment by moment.
    assert "state/features.turned" in {s.name for s in contract.graphs["fp32"].states}
    assert b"features.turned" in bundle.graph("fp32")[0]
    copy = tmp_path / "copy"
    shutil.copytree(streaming.path, copy)
    shutil.copy(copy / "fp32.stream.onnx", copy / "int8.stream.onnx")
    with pytest.raises(BundleError, match="is not the file that was exported"):
        earlet.load(copy, precision="int8").stream()


def test_a_network_that_pads_time_is_refused_and_nothing_is_written(
    checkpoint: Checkpoint, material: Material, tmp_path: Path
) -> None:
    with pytest.raises(
        ParityError, match=r"model/body\.0/Conv.*pads time.*padding along time to 0"
    ):
        export_bundle(variant(checkpoint), material, out=tmp_path / "b", data="sounds")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("frontend", "hop", "kernel"),
    [
        ('kind = "bands"\nn_fft = 512\nhop_samples = 160\nbands = 64', 160, 512),
        (
            'kind = "log-mel"\nn_fft = 400\nhop_samples = 160\nrange_db = 0\ncentre = "none"',
            160,
            400,
        ),
        (
            'kind = "lfcc"\ncentre = "none"\nslope_edges = "valid"\nfirst_sample = "dropped"',
            160,
            None,
        ),
    ],
)
def test_hop_and_kernel_of_a_frontend_are_found_by_listening(
    checkpoint: Checkpoint, frontend: str, hop: int, kernel: int | None
) -> None:
    found = framing(
        build_network(with_frontend(checkpoint.recipe, frontend)).eval(), window_samples=8_000
    )
    assert isinstance(found, Framing), found
    assert found.hop_samples == hop
    assert kernel in (None, found.kernel_samples)
    assert found.heard_samples(found.frames) <= 8_000 < found.heard_samples(found.frames + 1)


@pytest.mark.parametrize(
    ("frontend", "why"),
    [
        ('kind = "spectrogram"\nn_fft = 256\nhop_samples = 128', "looks"),
        ('kind = "log-mel"\nrange_db = 0\ncentre = "causal"', "every window with zeros"),
        ('kind = "cqcc"\nclip_samples = 8000', "whole clip"),
    ],
)
def test_a_frontend_that_needs_the_clip_says_why(
    checkpoint: Checkpoint, frontend: str, why: str
) -> None:
    found = framing(
        build_network(with_frontend(checkpoint.recipe, frontend)).eval(), window_samples=8_000
    )
    assert isinstance(found, Blocked)
    assert why in found.why


def test_a_frontend_that_only_claims_to_stream_is_found_out(checkpoint: Checkpoint) -> None:
    network = checkpoint.network()
    honest = network.features

    def by_the_loudest(waveform: torch.Tensor) -> torch.Tensor:
        return honest(waveform / waveform.abs().amax(dim=1, keepdim=True))

    network.features = by_the_loudest  # type: ignore[method-assign]
    found = framing(network, window_samples=8_000)
    assert isinstance(found, Blocked)
    assert "more of the window" in found.why


def with_frontend(recipe: Recipe, table: str) -> Recipe:
    before, rest = recipe.text.split("[frontend]")
    _, after = rest.split("[model]")
    return parse_recipe(f"{before}[frontend]\n{table}\n\n[model]{after}", source="tests")


def test_verify_holds_the_stream_against_the_windows(
    streaming: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", str(streaming.path)]) == 0
    said = capsys.readouterr().out
    assert said.count("stream says what the windows say") == 2
    assert run(["verify", str(streaming.path), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["streams"]
    assert [(row["precision"], row["ok"]) for row in rows] == [("fp32", True), ("int8", True)]
    # A stream that begins elsewhere is about other windows; only the proof can tell.
    contract = streaming.manifest.stream
    assert contract is not None
    shifted = dataclasses.replace(contract, warmup_chunks=contract.warmup_chunks + 1)
    found = replay_stream(_Claiming(Bundle.open(streaming.path), shifted), "fp32")
    assert found is not None
    assert not found.ok


class _Claiming(Bundle):
    """A bundle whose manifest says something else of its stream."""

    def __init__(self, bundle: Bundle, stream: Streaming) -> None:
        manifest = dataclasses.replace(bundle.manifest, stream=stream)
        super().__init__(path=bundle.path, manifest=manifest)

    def _check_inside(self, metadata: Mapping[str, str], *, precision: str, source: str) -> None:
        """Not asked: the files are honest here."""
