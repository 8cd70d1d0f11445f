"""The study of fusion: what it makes of scores, and a whole tiny run of it."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from earlet.cli import run
from earlet.errors import CorpusError, RecipeError
from earlet.metrics import equal_error_rate
from earlet.protocol import read_protocol
from earlet_export.studies.fused import Fused, fusions, margin, raw
from earlet_export.studies.fusion import fusion_study
from earlet_export.studies.grid import Answer, Done
from earlet_export.studies.measures import dev_labels
from earlet_export.studies.options import Size
from earlet_export.studies.study import Study
from earlet_export.studies.variant import Variant

Scores = NDArray[np.float64]

RECIPE = """
name = "{name}"
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
bands = {bands}
[model]
kind = "narrow-cnn"
channels = [8, 8, 8]
[training]
epochs = 2
batch_size = 8
"""


@pytest.fixture
def recipes(tmp_path: Path) -> list[str]:
    files = []
    for name, bands in (("fine", 32), ("coarse", 16)):
        file = tmp_path / f"{name}.toml"
        file.write_text(RECIPE.format(name=name, bands=bands))
        files.append(str(file))
    return files


@pytest.fixture
def published(spoofing: Path, tmp_path: Path) -> Study:
    return fusion_study(spoofing, out=tmp_path / "out", size=Size(clips=32, seeds=2))


def test_the_whole_study_runs_and_is_kept(
    spoofing: Path, recipes: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "study"
    arguments = ["study", "fusion", "--corpus", str(spoofing), "--out", str(out)]
    arguments += ["--recipe", recipes[0], "--recipe", recipes[1], "--clips", "32"]
    arguments += ["--threads", "1"]
    assert run([*arguments, "--json"]) == 0, capfd.readouterr().err
    told = json.loads(capfd.readouterr().out)
    assert [row["variant"] for row in told["trainings"]] == ["fine", "coarse"]
    assert {row["epochs"] for row in told["trainings"]} == {2}
    assert [row[0] for row in told["tables"][0]["rows"]] == [
        "fine",
        "coarse",
        "fine + coarse, mean",
        "fine + coarse, logistic",
    ]
    page = (out / "fusion.md").read_text()
    for sentence in told["answers"]:
        assert f"- {sentence}\n" in page
    for name in ("det", "histogram", "conditions", "confusion"):
        assert (out / f"fusion-{name}.png").read_bytes().startswith(b"\x89PNG")
        assert f"(fusion-{name}.png)" in page
    done = out / "runs" / "coarse" / "seed-1" / "done.json"
    kept = done.stat().st_mtime_ns
    assert run(arguments) == 0
    assert "training 1 of" not in capfd.readouterr().err
    assert done.stat().st_mtime_ns == kept


def test_the_mean_is_of_raw_scores(published: Study) -> None:
    """Calibration rescales each system, so a mean of calibrated scores is not the published one."""
    labels = dev_labels(published.variants[0].corpus)
    own = {"dev": np.where(labels, 1.0, -1.0), "eval": np.linspace(-1, 1, 100)}
    answers = [
        answer(v, 1, dev=scale * own["dev"] + offset, scores=scale * own["eval"] + offset)
        for v, scale, offset in zip(
            published.variants, (1.0, 5.0, 0.2), (0.0, -3.0, 1.0), strict=True
        )
    ]
    scaled = [
        with_calibration(a, scale, offset)
        for a, scale, offset in zip(answers, (1.0, 5.0, 0.2), (0.0, -3.0, 1.0), strict=True)
    ]
    for one in scaled:
        np.testing.assert_allclose(raw(one)[1], own["eval"], atol=1e-12)
    (mean,) = (f for f in fusions(published.variants, scaled) if f.row.title == "all 3, mean")
    np.testing.assert_allclose(mean.answers[0].eval, own["eval"], atol=1e-12)


def test_all_systems_and_every_pair_are_fused_both_ways(published: Study) -> None:
    titles = [f.row.title for f in fusions(published.variants, independent(published, seeds=1))]
    assert titles == [
        "all 3, mean",
        "all 3, logistic",
        "Spec + MFCC, mean",
        "Spec + MFCC, logistic",
        "Spec + CQCC, mean",
        "Spec + CQCC, logistic",
        "MFCC + CQCC, mean",
        "MFCC + CQCC, logistic",
    ]


def test_only_seeds_that_all_members_have_are_fused(published: Study) -> None:
    answers = [
        a
        for a in independent(published, seeds=2)
        if a.variant.name != "cqcc-resnet" or a.done.seed == 2
    ]
    seeds = {
        f.row.title: [a.done.seed for a in f.answers]
        for f in fusions(published.variants, answers)
        if f.kind == "mean"
    }
    assert seeds["all 3, mean"] == [2]
    assert seeds["Spec + MFCC, mean"] == [1, 2]


def test_the_logistic_fusion_weighs_down_what_dev_finds_useless(published: Study) -> None:
    """Scores that know nothing but are loud drown the plain mean."""
    answers = independent(published, seeds=1)
    rng = np.random.default_rng(1)
    loud = answers[2]
    answers[2] = answer(
        loud.variant, 1, dev=30 * rng.standard_normal(40), scores=30 * rng.standard_normal(100)
    )
    both = {f.kind: f for f in fusions(published.variants, answers)[:2]}
    by_kind = {kind: error_of(fused) for kind, fused in both.items()}
    assert abs(both["mean"].weights[0][2]) > 5 * max(both["mean"].weights[0][:2])
    assert abs(both["logistic"].weights[0][2]) < min(both["logistic"].weights[0][:2])
    assert by_kind["logistic"] < 0.15 < 0.3 < by_kind["mean"]


def test_systems_that_err_apart_are_better_together(published: Study, tmp_path: Path) -> None:
    found = published.find(independent(published, seeds=2), tmp_path)
    headline, won = found.answers[:2]
    assert headline.startswith("**all 3, mean**: EER ")
    assert "fusion is better, by more than resampled speakers explain" in headline
    assert "lower EER than every single system on 3 of 3 attacks (A01, A02, A03)" in won
    assert found.answers[-1].startswith("A row is called better")


def test_twins_are_no_better_together(published: Study, tmp_path: Path) -> None:
    one = independent(published, seeds=1)[0]
    twins = [answer(v, 1, dev=one.dev, scores=one.eval) for v in published.variants]
    found = published.find(twins, tmp_path)
    assert "+0.0 [+0.0, +0.0] points" in found.answers[0]
    assert "other speakers could turn it round" in found.answers[0]
    assert "on 0 of 3 attacks (none)" in found.answers[1]
    assert "not lower on A01, A02, A03" in found.answers[1]


def test_the_margin_is_the_difference_of_the_two_rates(published: Study) -> None:
    answers = independent(published, seeds=1)
    mean = fusions(published.variants, answers)[0]
    found = margin(mean.answers, answers[:1], attacks=None, resamples=50)
    trials = read_protocol(published.variants[0].corpus, "eval")
    is_spoof = np.array([t.is_spoof for t in trials])
    alone = equal_error_rate(answers[0].eval, is_spoof).eer
    assert found.mean == pytest.approx(error_of(mean) - alone, abs=0.02)
    assert found.low <= found.mean <= found.high


@pytest.mark.parametrize("systems", [1, 2])
def test_a_part_of_the_trainings_is_a_page_too(
    published: Study, tmp_path: Path, systems: int
) -> None:
    found = published.find(independent(published, seeds=1)[:systems], tmp_path)
    if systems == 1:
        assert found.answers == ("No seed has two systems trained yet: nothing to fuse.",)
    else:
        assert found.answers[0].startswith("**Spec + MFCC, mean**: EER ")
    assert len(found.tables[0].rows) == {1: 1, 2: 4}[systems]
    assert all(picture.is_file() for picture in found.pictures)


def test_the_three_hear_the_same_clips(published: Study) -> None:
    assert [v.recipe.name for v in published.variants] == [
        "fusion-spec-resnet",
        "fusion-mfcc-resnet",
        "fusion-cqcc-resnet",
    ]
    assert len({v.corpus for v in published.variants}) == 1


def test_the_same_system_twice_or_alone_is_refused(
    spoofing: Path, recipes: list[str], tmp_path: Path
) -> None:
    for given in (recipes[:1], [recipes[0], recipes[0]]):
        with pytest.raises(RecipeError, match="two or more different ones"):
            fusion_study(spoofing, out=tmp_path, size=Size(clips=32), recipes=given)


def test_other_labels_and_too_few_recordings_are_refused(spoofing: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="Leave this recipe out"):
        fusion_study(spoofing, out=tmp_path, size=Size(), recipes=["spec-resnet", "instruments"])
    with pytest.raises(CorpusError, match="16 recordings labelled 'bonafide'"):
        fusion_study(spoofing, out=tmp_path, size=Size())


def independent(study: Study, *, seeds: int) -> list[Answer]:
    """Normal scores two deviations apart, drawn anew for each system: about 16 % EER each."""
    rng = np.random.default_rng(3)
    made = []
    for seed in range(1, seeds + 1):
        for variant in study.variants:
            dev, evaluation = (
                np.array([2.0 * t.is_spoof for t in read_protocol(variant.corpus, split)])
                for split in ("dev", "eval")
            )
            dev += rng.standard_normal(len(dev))
            evaluation += rng.standard_normal(len(evaluation))
            made.append(answer(variant, seed, dev=dev, scores=evaluation))
    return made


def error_of(fused: Fused) -> float:
    trials = read_protocol(fused.row.corpus, "eval")
    return equal_error_rate(fused.answers[0].eval, np.array([t.is_spoof for t in trials])).eer


def answer(variant: Variant, seed: int, *, dev: Scores, scores: Scores) -> Answer:
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
        threshold=1.0,
        minutes=1.0,
        threads=1,
        device="cpu",
    )
    return Answer(variant=variant, done=done, dev=dev, eval=scores)


def with_calibration(one: Answer, scale: float, offset: float) -> Answer:
    done = dataclasses.replace(one.done, scale=scale, even_odds=offset)
    return dataclasses.replace(one, done=done)
