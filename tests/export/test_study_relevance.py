"""The study of learned filters and relevance heads: rows, verdicts, and a whole tiny run of it."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from classes.made import RECIPE, answered, write_corpus

from earlet.cli import run
from earlet.errors import CorpusError, RecipeError
from earlet_export.studies.options import Size
from earlet_export.studies.relevance import relevance_study
from earlet_export.studies.study import Findings, Study
from earlet_export.studies.variant import Variant
from earlet_train.network import build_network, feature_shape
from earlet_train.recipe import load_recipe

SHORT = ("log-mel", "fixed", "learned", "learned-1-head", "learned-2-heads", "learned-4-heads")
# Frames that are quick to filter: a part of the band, so that the base's own are taken.
LOW = RECIPE.replace(
    "hop_samples = 320\nmels = 64",
    "window_samples = 128\nhop_samples = 320\nmels = 16\nhigh_hz = 6e3",
).replace("n_fft = 1024", "n_fft = 2048")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpora") / "sounds")


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    file = tmp_path / "tiny.toml"
    file.write_text(LOW)
    return str(file)


@pytest.fixture
def study(sounds: Path, recipe: str, tmp_path: Path) -> Study:
    return relevance_study([sounds], recipes=[recipe], out=tmp_path / "out", size=Size())


def row(study: Study, short: str) -> Variant:
    return next(v for v in study.variants if v.name == f"tiny-sounds-{short}")


def found(study: Study, out: Path, wrong: dict[str, list[int]]) -> Findings:
    """Findings where each row errs so often of 10 recordings a label, by seed."""
    answers = [
        answered(row(study, short), seed, wrong=count)
        for short, counts in wrong.items()
        for seed, count in enumerate(counts, start=1)
    ]
    return study.find(answers, out)


def sentence(page: Findings, part: str) -> str:
    (only,) = [words for words in page.answers if part in words]
    return only


def test_rows_have_the_same_bands_and_frames_and_differ_in_frontend_and_heads(
    study: Study,
) -> None:
    assert [v.name.removeprefix("tiny-sounds-") for v in study.variants] == list(SHORT)
    first = study.variants[0].recipe
    shapes = set()
    for variant in study.variants:
        silence = torch.zeros(1, variant.recipe.data.window_samples)
        shapes.add(feature_shape(build_network(variant.recipe).frontend, silence))
        same = dataclasses.replace(variant.recipe, name=first.name, text=first.text)
        same = dataclasses.replace(same, frontend=first.frontend, adapter=first.adapter)
        assert same == first
    assert shapes == {(1, 80, 19)}
    heads = [v.recipe.adapter.settings.heads for v in study.variants if v.recipe.adapter]
    assert heads == [0, 0, 0, 1, 2, 4]


def test_fixed_filters_differ_from_learned_ones_in_learning_alone(study: Study) -> None:
    fixed, learned = (row(study, short).recipe.frontend.settings for short in ("fixed", "learned"))
    assert dataclasses.replace(fixed, learnable=True) == learned
    trained = [
        sum(
            p.numel()
            for p in build_network(row(study, short).recipe).parameters()
            if p.requires_grad
        )
        for short in ("fixed", "learned")
    ]
    assert trained[1] - trained[0] == 80


def test_a_whole_band_is_looked_at_in_the_papers_frames(sounds: Path, tmp_path: Path) -> None:
    file = tmp_path / "whole.toml"
    file.write_text(RECIPE.replace("6000", "8000"))
    made = relevance_study([sounds], recipes=[str(file)], out=tmp_path / "out", size=Size())
    own = row(made, "learned").recipe.frontend.settings
    published = load_recipe("relevance-fcn").frontend.settings
    assert (own.frame_samples, own.hop_samples, own.taps) == (744, 372, 257)
    assert (own.frame_samples, own.hop_samples, own.taps, own.filters, own.beta) == (
        published.frame_samples,
        published.hop_samples,
        published.taps,
        published.filters,
        published.beta,
    )
    mel = row(made, "log-mel").recipe.frontend.settings
    assert (mel.mels, mel.window_samples, mel.hop_samples, mel.n_fft) == (80, 744, 372, 1024)


def test_in_full_the_published_classifier_is_trained_as_published(
    sounds: Path, tmp_path: Path
) -> None:
    file = tmp_path / "whole.toml"
    file.write_text(RECIPE.replace("6000", "12000"))
    size = Size(full=True)
    made = relevance_study([sounds], recipes=[str(file)], out=tmp_path / "out", size=size)
    own, published = row(made, "learned-2-heads").recipe, load_recipe("relevance-fcn")
    assert (own.model, own.training, own.augmentations) == (
        published.model,
        published.training,
        published.augmentations,
    )
    assert own.labels == ("hiss", "high", "low")
    assert not any("narrow CNN" in cut for cut in made.cuts)


def test_a_base_or_corpus_that_does_not_fit_is_refused_before_a_folder_is_made(
    sounds: Path, recipe: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    # 17 frames, less 8 for the slopes of slopes.
    deep = tmp_path / "deep.toml"
    deep.write_text(RECIPE.replace("channels = [4, 16]", "channels = [4, 4, 4, 4]"))
    with pytest.raises(RecipeError, match="halves its picture 4 times"):
        relevance_study([sounds], recipes=[str(deep)], out=out, size=Size())
    two = tmp_path / "two.toml"
    two.write_text(RECIPE.replace('"hiss", "high", "low"', '"hiss", "low"'))
    pair = write_corpus(tmp_path / "pair", labels=("hiss", "low"))
    with pytest.raises(RecipeError, match="expected three or more"):
        relevance_study([pair], recipes=[str(two)], out=out, size=Size())
    few = write_corpus(tmp_path / "few", spread={"train": 7, "dev": 4, "eval": 4})
    with pytest.raises(CorpusError, match="7 recordings labelled 'hiss'; expected 8"):
        relevance_study([few], recipes=[recipe], out=out, size=Size())
    assert not out.exists()


def test_fewer_errors_are_better_and_equal_ones_are_not(study: Study, tmp_path: Path) -> None:
    page = found(
        study,
        tmp_path,
        {
            "log-mel": [4, 5, 4],
            "fixed": [4, 5, 4],
            "learned": [2, 3, 2],
            "learned-1-head": [2, 3, 2],
            "learned-2-heads": [1, 1, 1],
            "learned-4-heads": [8, 9, 8],
        },
    )
    assert "+0.0 [+0.0, +0.0] % of its errors gone: cannot" in sentence(page, "Gauss, fixed**")
    # By seed 2 of 4, 2 of 5, 2 of 4 errors are gone.
    better = sentence(page, "Gauss, learned**")
    assert "76.7 ± 5.8 % macro accuracy against 56.7 ± 5.8 % of log-mel, +46.7 [" in better
    assert better.endswith("better.")
    assert "the paper's 10 % on acoustic scenes and 23 %" in sentence(page, "2 heads**")
    assert sentence(page, "4 heads**").endswith("worse.")
    assert sentence(page, "Learning the filters").endswith("better.")
    assert sentence(page, "One relevance head").endswith("cannot be told from 3 seeds.")


def test_one_seed_tells_nothing_and_a_part_of_the_rows_is_a_page(
    study: Study, tmp_path: Path
) -> None:
    page = found(study, tmp_path, {"log-mel": [4], "learned-2-heads": [2]})
    assert "+50.0 % of its errors gone" in sentence(page, "2 heads**")
    assert "cannot be told from 1 seed." in sentence(page, "2 heads**")
    lone = found(study, tmp_path, {"learned": [0]})
    assert lone.tables[0].rows == (("cosine-Gauss, learned", "1", "1,000", "100.0", "-", "-"),)
    assert all(picture.is_file() for picture in lone.pictures)


def test_where_log_mel_makes_no_error_there_is_nothing_to_reduce(
    study: Study, tmp_path: Path
) -> None:
    page = found(study, tmp_path, {"log-mel": [0, 2], "learned": [0, 1]})
    assert "+50.0 % of its errors gone: cannot be told from 1 seed" in page.answers[0]


def test_the_published_reductions_are_the_papers(study: Study, tmp_path: Path) -> None:
    published = found(study, tmp_path, {"log-mel": [1]}).tables[-1]
    cells = {cells[0]: cells[1:] for cells in published.rows}
    assert cells["2 heads"] == ("72.6", "+10.2", "63", "+22.9")


def test_a_whole_tiny_study_writes_its_page_and_keeps_its_trainings(
    sounds: Path, recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    told = ["--corpus", str(sounds), "--recipe", recipe, "--out", str(out), "--clips", "32"]
    command = ["study", "relevance", *told, "--epochs", "1", "--seeds", "1", "--threads", "1"]
    assert run([*command, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [t["variant"] for t in answer["trainings"]] == [f"tiny-sounds-{s}" for s in SHORT]
    weights = [t["parameters"] for t in answer["trainings"]]
    assert [n - weights[0] for n in weights] == [0, 80, 80, 1_231, 2_382, 4_684]
    page = (out / "relevance.md").read_text()
    assert "![relevance accuracy](relevance-accuracy.png)" in page
    assert "1 epochs instead of 3" in page
    kept = {file: file.stat().st_mtime_ns for file in out.rglob("done.json")}
    assert run([*command, "--json"]) == 0
    assert {file: file.stat().st_mtime_ns for file in out.rglob("done.json")} == kept
