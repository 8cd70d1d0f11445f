"""`earlet export --length any`: what is written, what is proven of it, and what is refused."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

import earlet
from earlet.bundle import Bundle
from earlet.cli import run
from earlet.errors import AudioError, ParityError, UsageError
from earlet_export.exact import Original, as_trained
from earlet_export.export import Exported, export_bundle
from earlet_export.lengths import lengths_to_try
from earlet_export.material import Material
from earlet_export.prove_lengths import OpenGraph, broken_lengths, prove_lengths, sounds
from earlet_train.checkpoint import Checkpoint, save_checkpoint
from earlet_train.network import Network, build_network, numpy_logits
from earlet_train.recipe import parse_recipe

Array = NDArray[np.float32]
T, SHORTEST = 8_000, 4_000


@pytest.fixture(scope="module")
def anyhow(
    checkpoint: Checkpoint, material: Material, tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    return export_bundle(
        checkpoint,
        material,
        out=tmp_path_factory.mktemp("bundles") / "any",
        data="sounds",
        precision="int8",
        fp16=True,
        length="any",
        pictures=False,
    )


def noise(samples: int) -> Array:
    rng = np.random.default_rng(samples)
    made: Array = (rng.standard_normal((3, samples)) * 0.1).astype(np.float32)
    return made


@pytest.mark.parametrize("samples", [SHORTEST, 5_557, T, 3 * T + 1])
def test_sessions_of_the_bundle_answer_as_the_network_does_at_any_length(
    anyhow: Exported, network: Network, samples: int
) -> None:
    bundle, asked = Bundle.open(anyhow.path), noise(samples)
    wanted = numpy_logits(network)(asked)
    np.testing.assert_allclose(bundle.session("fp32").logits(asked), wanted, atol=1e-4)
    for precision, room in (("int8", 0.5), ("fp16", 0.02)):
        answer = bundle.session(precision).logits(asked)
        assert np.abs(answer - wanted).max() <= room
        alone = np.concatenate([bundle.session(precision).logits(wave[None]) for wave in asked])
        np.testing.assert_allclose(answer, alone, atol=1e-5)


def test_what_is_shorter_than_the_shortest_is_refused_in_words(anyhow: Exported) -> None:
    session = Bundle.open(anyhow.path).session()
    with pytest.raises(AudioError, match=r"takes 4000 samples or more, found 3999"):
        session.logits(np.zeros((1, SHORTEST - 1), dtype=np.float32))


def test_a_lone_graph_of_the_bundle_knows_its_shortest_too(
    anyhow: Exported, tmp_path: Path
) -> None:
    lone = tmp_path / "alone.onnx"
    lone.write_bytes((anyhow.path / "fp32.onnx").read_bytes())
    session = Bundle.open(lone).session()
    assert (session.window_samples, session.shortest_samples) == (None, SHORTEST)


def test_a_detector_scores_windows_as_that_of_one_length_does(
    anyhow: Exported, exported: Exported
) -> None:
    sound = noise(21_001)[0]
    ours = earlet.load(anyhow.path, precision="fp32").windows(sound, 16_000)
    usual = earlet.load(exported.path, precision="fp32").windows(sound, 16_000)
    assert len(ours) == len(usual) == 5
    for one, other in zip(ours, usual, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-4)


def test_verify_and_info_and_lint_work_on_it(
    anyhow: Exported, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", str(anyhow.path)]) == 0
    assert "hears what the original heard" in capsys.readouterr().out
    assert run(["info", str(anyhow.path)]) == 0
    assert "any length from 0.25 s (4000 samples) on" in capsys.readouterr().out
    assert run(["lint", str(anyhow.path)]) == 0


def test_the_report_tells_the_lengths_that_were_tried_and_how_far_each_graph_was(
    anyhow: Exported,
) -> None:
    said = json.loads((anyhow.path / "report.json").read_text())["lengths"]
    assert [at["samples"] for at in said] == list(lengths_to_try(SHORTEST, T).values())
    assert said[0]["frames"] < said[2]["frames"] < said[3]["frames"]
    for at in said:
        assert set(at["graphs"]) == {"fp32", "int8", "fp16"}
        assert 0 <= at["graphs"]["fp32"]["logits"]["max_abs"] <= 1e-4
        assert at["graphs"]["int8"]["logits"]["max_abs"] > 1e-4
    page = (anyhow.path / "report.md").read_text()
    assert "## Any length" in page
    assert "from 4000 samples on" in page
    assert "| 3 windows and a bit | 26667 |" in page


def test_a_bundle_of_one_length_says_nothing_of_lengths(exported: Exported) -> None:
    assert exported.manifest.any_length_from_samples is None
    for name in ("manifest.json", "report.json", "report.md"):
        text = (exported.path / name).read_text()
        assert "any_length" not in text
        assert "Any length" not in text
        assert '"lengths"' not in text


def test_the_same_checkpoint_gives_the_same_open_graphs(
    anyhow: Exported, checkpoint: Checkpoint, material: Material, tmp_path: Path
) -> None:
    again = export_bundle(
        checkpoint,
        material,
        out=tmp_path / "again",
        data="sounds",
        precision="int8",
        fp16=True,
        length="any",
        pictures=False,
    )
    first, second = (
        {name: graph.sha256 for name, graph in made.manifest.graphs.items()}
        for made in (anyhow, again)
    )
    assert first == second


def test_an_open_graph_holds_the_same_weights_and_layers_in_int8(
    anyhow: Exported, exported: Exported
) -> None:
    def kinds(made: Exported) -> Mapping[str, int]:
        graph = onnx.load(made.path / "int8.onnx").graph
        wanted = ("Conv", "QuantizeLinear", "Gemm")
        return {kind: sum(node.op_type == kind for node in graph.node) for kind in wanted}

    assert kinds(anyhow) == kinds(exported)


def test_a_network_of_one_length_is_refused_at_once_and_nothing_is_written(
    flattened: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle"
    command = ["export", str(flattened), "--data", str(corpus), "--out", str(out)]
    assert run([*command, "--length", "any"]) == 2
    said = capsys.readouterr().err
    assert "model: its linear layer reads the flattened map" in said
    assert "--length window" in said
    assert "reading recordings" not in said
    assert not out.exists()


def test_a_bundle_that_streams_is_refused_with_the_way_out(
    checkpoint: Checkpoint, material: Material, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="--stream window, or once with --length any"):
        export_bundle(
            checkpoint,
            material,
            out=tmp_path / "bundle",
            data="sounds",
            length="any",
            stream="exact",
        )
    assert not (tmp_path / "bundle").exists()


def test_a_graph_that_strays_at_one_length_alone_breaks_the_promise_and_is_named(
    network: Network, material: Material, checkpoint: Checkpoint
) -> None:
    torch_answers = as_trained(network)

    def strays(windows: Array) -> NDArray[np.floating]:
        wrong = 0.01 if windows.shape[1] % 2 else 0.0
        return torch_answers.logits(windows) + np.float32(wrong)

    graph = OpenGraph(features=features_of(torch_answers), logits=strays)
    found = prove(torch_answers, {"fp32": graph, "int8": graph}, material)
    broken = broken_lengths(found, promises=checkpoint.recipe.promises)
    # int8 promises decisions, not digits.
    assert len(broken) == 2
    assert "fp32 moves a logit by 0.01 at 5333 samples (odd); promised: at most 0.0001" in broken
    assert "3 windows and a bit" in broken[1]


def test_features_that_stray_at_one_length_break_every_graph(
    network: Network, material: Material, checkpoint: Checkpoint
) -> None:
    torch_answers = as_trained(network)

    def strays(windows: Array) -> Array:
        heard = features_of(torch_answers)(windows)
        moved: Array = heard * np.float32(1.01) if windows.shape[1] == SHORTEST else heard
        return moved

    graph = OpenGraph(features=strays, logits=torch_answers.logits)
    found = prove(torch_answers, {"fp32": graph, "int8": graph}, material)
    broken = broken_lengths(found, promises=checkpoint.recipe.promises)
    assert [words.split(" graph")[0][-4:] for words in broken] == ["fp32", "int8"]
    assert all("at 4000 samples (shortest): SQNR 40.0 dB" in words for words in broken)


def test_a_graph_that_fails_or_gives_another_shape_or_no_number_is_a_parity_error(
    network: Network, material: Material
) -> None:
    torch_answers = as_trained(network)

    def fails(windows: Array) -> Array:
        raise RuntimeError("no such length")

    def cuts(windows: Array) -> NDArray[np.floating]:
        return torch_answers.logits(windows)[:1]

    def overflows(windows: Array) -> NDArray[np.floating]:
        return torch_answers.logits(windows) + (np.inf if windows.shape[1] > T else 0)

    for logits, words in (
        (fails, r"on 4000 samples \(shortest\), 1 at once, does not run: no such length"),
        (cuts, r"logits of shape \[1, 2\], the PyTorch original \[3, 2\]"),
        (overflows, r"3 windows and a bit\) gives logits that are not finite"),
    ):
        graph = OpenGraph(features=features_of(torch_answers), logits=logits)
        with pytest.raises(ParityError, match=words):
            prove(torch_answers, {"fp32": graph}, material)


def test_every_length_is_asked_with_golden_signals_and_real_sound(material: Material) -> None:
    for samples in (SHORTEST, T, 3 * T + 1):
        asked = sounds(samples, trials=material.trials, sample_rate_hz=16_000)
        assert len(asked) == 9
        assert {wave.shape for wave in asked.values()} == {(samples,)}
        assert len({hashlib.sha256(wave.tobytes()).digest() for wave in asked.values()}) == 9
    first = material.trials[0]
    asked = sounds(3 * T + 1, trials=material.trials, sample_rate_hz=16_000)
    np.testing.assert_array_equal(asked[first.trial.file][:T], first.windows[0])


def test_against_its_checkpoint_other_lengths_are_asked_anew(
    anyhow: Exported, run_folder: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["verify", str(anyhow.path), "--against", str(run_folder), "--data", str(corpus)]
    assert run(command) == 0
    said = capsys.readouterr().out
    assert "other lengths than one window" in said
    assert "3 windows and a bit" in said


def prove(torch_answers: Original, graphs: Mapping[str, OpenGraph], material: Material):  # type: ignore[no-untyped-def]
    return prove_lengths(
        torch_answers,
        graphs,
        lengths=lengths_to_try(SHORTEST, T),
        trials=material.trials,
        sample_rate_hz=16_000,
    )


def features_of(original: Original):  # type: ignore[no-untyped-def]
    return lambda windows: original.features(windows).astype(np.float32)


@pytest.fixture(scope="module")
def flattened(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose model reads a flattened map."""
    text = checkpoint.recipe.text
    model = text.index("[model]")
    text = (
        text[:model]
        + '[model]\nkind = "spec-resnet"\nchannels = 8\nblocks = 2\nhidden = 8\n'
        + text[text.index("[training]") :]
    )
    recipe = parse_recipe(text, source="tests")
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("runs") / "flattened"
    folder.mkdir()
    save_checkpoint(
        folder / "best.safetensors",
        weights=build_network(recipe).state_dict(),
        recipe=recipe,
        origin=dataclasses.replace(checkpoint.origin),
    )
    return folder
