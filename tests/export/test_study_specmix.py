"""The study of SpecMix: its rows, what it makes of scores, and a whole tiny run of it."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from earlet.cli import run
from earlet.errors import CorpusError, RecipeError
from earlet.protocol import read_protocol
from earlet_export.studies.grid import Answer, Done
from earlet_export.studies.options import Size
from earlet_export.studies.specmix import specmix_study
from earlet_export.studies.study import Findings, Study
from earlet_export.studies.variant import Variant
from earlet_train.network import build_network

RECIPE = """
name = "tiny-res2net"
version = "1"
description = "For tests"
[data]
window_samples = 3000
hop_samples = 3000
min_samples = 500
[frontend]
kind = "bands"
n_fft = 256
hop_samples = 250
bands = 16
[model]
kind = "res2net"
blocks = [2]
channels = [8]
scale = 3
stem = 4
[[augmentation]]
kind = "gain"
[[augmentation]]
kind = "random-specmix"
probability = 0.25
[training]
epochs = 5
batch_size = 8
"""
SMALL = Size(clips=32, seeds=3)


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    file = tmp_path / "tiny.toml"
    file.write_text(RECIPE)
    return str(file)


@pytest.fixture
def tiny(spoofing: Path, recipe: str, tmp_path: Path) -> Study:
    return specmix_study(spoofing, out=tmp_path / "out", size=SMALL, recipe=recipe)


def test_the_whole_study_runs_and_is_kept(
    spoofing: Path, recipe: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "study"
    arguments = ["study", "specmix", "--corpus", str(spoofing), "--out", str(out)]
    arguments += ["--recipe", recipe, "--clips", "32", "--epochs", "1", "--seeds", "1"]
    arguments += ["--threads", "1"]
    assert run([*arguments, "--json"]) == 0, capfd.readouterr().err
    told = json.loads(capfd.readouterr().out)
    rows = ["res2net", "mpif", "specmix", "random-specmix", "both"]
    assert [row["variant"] for row in told["trainings"]] == rows
    assert {row["judged"] for row in told["trainings"]} == {100}
    pools, differences, attacks = told["tables"]
    assert pools["header"][3:] == ["dev", "known attacks", "unknown attacks", "all attacks"]
    assert len(differences["rows"]) == 6
    assert [row[:2] for row in attacks["rows"]] == [
        ["A01", "20"],
        ["A02", "20"],
        ["A03 (unknown)", "20"],
    ]
    assert (out / "specmix-pools.png").read_bytes().startswith(b"\x89PNG")
    page = (out / "specmix.md").read_text()
    for sentence in told["answers"]:
        assert f"- {sentence}\n" in page
    assert "![specmix pools](specmix-pools.png)" in page
    assert "1 epochs instead of 5." in page
    done = out / "runs" / "both" / "seed-1" / "done.json"
    kept = done.stat().st_mtime_ns
    assert run(arguments) == 0
    assert "training 1 of" not in capfd.readouterr().err
    assert done.stat().st_mtime_ns == kept


def test_rows_differ_in_fusion_and_mixing_alone(tiny: Study) -> None:
    told = {
        v.name: (v.recipe.model.settings.fusion, [part.kind for part in v.recipe.augmentations])
        for v in tiny.variants
    }
    assert told == {
        "res2net": ("none", ["gain"]),
        "mpif": ("views", ["gain"]),
        "specmix": ("none", ["gain", "specmix"]),
        "random-specmix": ("none", ["gain", "random-specmix"]),
        "both": ("views", ["gain", "random-specmix"]),
    }
    assert len({v.recipe.name for v in tiny.variants}) == 5
    random = {v.name: v.recipe.augmentations[-1].settings for v in tiny.variants}
    assert random["both"].probability == 0.25


def test_the_fusion_sits_where_it_is_used(spoofing: Path, tmp_path: Path) -> None:
    """The first block of a stage never uses its links: a cut to one block would test nothing."""
    study = specmix_study(spoofing, out=tmp_path, size=SMALL)
    assert all(min(v.recipe.model.settings.blocks) >= 2 for v in study.variants)
    plain, fused = (build_network(v.recipe) for v in study.variants[:2])
    used = [name for name, _ in fused.named_parameters() if ".1.links." in name]
    assert used
    assert not [name for name, _ in plain.named_parameters() if ".links." in name]


def test_a_full_study_is_the_published_recipe(spoofing: Path, tmp_path: Path) -> None:
    study = specmix_study(spoofing, out=tmp_path, size=Size(full=True))
    both = study.variants[-1].recipe
    assert (both.frontend.settings.bins, both.frontend.settings.frames) == (45, 600)
    assert (both.training.schedule, both.training.epochs) == ("noam", 32)
    assert study.cuts == ()
    assert study.variants[-1].corpus == spoofing


def test_what_the_default_cuts_is_said(spoofing: Path, tmp_path: Path) -> None:
    said = " ".join(specmix_study(spoofing, out=tmp_path, size=SMALL).cuts)
    for word in ("84 frames instead of 600", "Noam", "half the channels", "32 of 32 in train"):
        assert word in said


def test_a_row_that_errs_less_on_every_seed_is_called_better(tiny: Study, tmp_path: Path) -> None:
    found = findings(tiny, tmp_path, {"res2net": (0.30, 0.35, 0.40), "specmix": (0.10, 0.15, 0.20)})
    told = found.answers[0]
    assert told.startswith("**+ SpecMix** against Res2Net")
    assert told.count("-20.0 [-20.0, -20.0]") == 3
    assert told.endswith(": better.")


def test_rows_that_err_alike_are_not_told_apart(tiny: Study, tmp_path: Path) -> None:
    found = findings(tiny, tmp_path, {"res2net": (0.30, 0.35, 0.40), "specmix": (0.35, 0.30, 0.40)})
    assert "better" not in found.answers[0]
    assert "worse" not in found.answers[0]
    assert found.answers[0].endswith(": cannot be told from 3 seeds.")


def test_rates_are_the_means_over_seeds(tiny: Study, tmp_path: Path) -> None:
    found = findings(tiny, tmp_path, {"mpif": (0.10, 0.20)})
    assert found.tables[0].rows[0][0] == "+ MPIF fusion (reconstruction)"
    assert set(found.tables[0].rows[0][3:]) == {"15.0 ± 7.1"}


def test_one_training_is_a_page_without_verdicts(tiny: Study, tmp_path: Path) -> None:
    found = findings(tiny, tmp_path, {"both": (0.10,)})
    assert len(found.answers) == 1
    assert [len(table.rows) for table in found.tables] == [1, 3]
    assert found.pictures[0].is_file()


def test_a_row_near_chance_on_dev_is_called_so(tiny: Study, tmp_path: Path) -> None:
    found = findings(tiny, tmp_path, {"res2net": (0.50, 0.50), "specmix": (0.10, 0.10)})
    assert any(said.startswith("Res2Net: more than 45 % EER even on dev") for said in found.answers)


def test_another_network_or_other_labels_are_refused(spoofing: Path, tmp_path: Path) -> None:
    for name in ("spec-resnet", "instruments"):
        with pytest.raises(RecipeError, match=r"Give such a recipe, or none"):
            specmix_study(spoofing, out=tmp_path, size=SMALL, recipe=name)


def test_too_few_recordings_are_refused_before_anything_is_trained(
    spoofing: Path, tmp_path: Path
) -> None:
    with pytest.raises(CorpusError, match="16 recordings labelled 'bonafide'"):
        specmix_study(spoofing, out=tmp_path, size=Size())


def findings(study: Study, out: Path, errors: dict[str, tuple[float, ...]]) -> Findings:
    """What the study says where a row's seeds have these EERs, on dev and on every attack."""
    answers = [
        answer(variant, seed, error)
        for variant in study.variants
        for seed, error in enumerate(errors.get(variant.name, ()), start=1)
    ]
    return study.find(answers, out)


def answer(variant: Variant, seed: int, error: float) -> Answer:
    done = Done(
        variant=variant.name,
        seed=seed,
        recipe_sha256="",
        corpus="voices",
        corpus_sha256="",
        epochs=1,
        best_epoch=1,
        train_recordings=32,
        dev_recordings=40,
        judged=100,
        parameters=1,
        threshold=0.5,
        minutes=1.0,
        threads=1,
        device="cpu",
    )
    dev, evaluation = (scores_with(variant.corpus, split, error) for split in ("dev", "eval"))
    return Answer(variant=variant, done=done, dev=dev, eval=evaluation)


def scores_with(corpus: Path, split: str, error: float) -> NDArray[np.float64]:
    """Bona fide ones spread over 0..1; of each attack the share `error` below, the rest above."""
    trials = read_protocol(corpus, split)
    found = np.zeros(len(trials))
    for system in {t.system for t in trials}:
        own = [i for i, t in enumerate(trials) if t.system == system]
        found[own] = np.linspace(0.0, 1.0, len(own))
        if system != "-":
            found[own] = np.where(np.arange(len(own)) < round(error * len(own)), -1.0, 2.0)
    return found
