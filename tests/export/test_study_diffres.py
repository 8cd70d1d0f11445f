"""The study of DiffRes: its rows, what it makes of scores and costs, and a whole tiny run of it."""

import dataclasses
import json
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from classes.made import RECIPE, answered, write_corpus

from earlet.cli import run
from earlet.errors import CorpusError, RecipeError, UsageError
from earlet.manifest import canonical_json
from earlet_export.describe import layers_of
from earlet_export.studies.cost import FILE, Cost, costs
from earlet_export.studies.diffres import METHODS, ONCE, diffres_study
from earlet_export.studies.grid import trials_hash
from earlet_export.studies.options import Size
from earlet_export.studies.study import Findings, Study
from earlet_export.studies.variant import Variant
from earlet_train.network import build_network
from earlet_train.recipe import parse_recipe


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpora") / "sounds")


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    file = tmp_path / "tiny.toml"
    file.write_text(RECIPE)
    return str(file)


@pytest.fixture
def study(sounds: Path, recipe: str, tmp_path: Path) -> Study:
    made = diffres_study([sounds], recipes=[recipe], out=tmp_path / "out", size=Size())
    keep_costs(made, tmp_path / "out")
    return made


def keep_costs(study: Study, out: Path) -> None:
    """As if all rows had been timed: their true multiplications, and a millisecond for 10 million.

    (To trace sixteen graphs for it takes a minute.)
    """
    found: dict[str, Cost] = {}
    for variant in study.variants:
        text = variant.recipe.text
        macs, model_macs = work(text)
        found[variant.name] = Cost(
            recipe_sha256=sha256(text.encode()).hexdigest(),
            parameters=1,
            macs=macs,
            model_macs=model_macs,
            fp32_ms=macs / 1e7,
            relative=macs / work(study.variants[0].recipe.text)[0],
        )
    out.mkdir(exist_ok=True)
    text = canonical_json({name: dataclasses.asdict(cost) for name, cost in found.items()})
    (out / f"{study.variants[0].set}-{FILE}").write_text(text)


@cache
def work(text: str) -> tuple[int, int]:
    """A recipe's multiplications per window: of all, of the model."""
    recipe = parse_recipe(text, source="tests")
    silence = torch.zeros(1, recipe.data.window_samples)
    layers, _ = layers_of(build_network(recipe).eval(), silence)
    own = (layer.macs for layer in layers if layer.part == "model")
    return sum(layer.macs for layer in layers), sum(own)


def row(study: Study, short: str) -> Variant:
    return next(v for v in study.variants if v.name == f"tiny-sounds-{short}")


def found(study: Study, tmp_path: Path, wrong: dict[str, list[int]]) -> Findings:
    """Findings where each row errs so often of 10 recordings a label, by seed."""
    answers = [
        answered(row(study, short), seed, wrong=count)
        for short, counts in wrong.items()
        for seed, count in enumerate(counts, start=1)
    ]
    return study.find(answers, tmp_path / "out")


def test_there_is_a_row_for_each_method_and_share_and_two_have_one_seed(study: Study) -> None:
    assert len(study.variants) == 1 + 3 * len(METHODS)
    assert study.trainings == 3 + 3 * (3 * 3 + 2)
    once = {v.title for v in study.variants if len(v.seeds) == 1}
    assert once == {METHODS[kind] for kind in ONCE}


def test_rows_differ_in_name_and_reduction_alone(study: Study) -> None:
    whole = row(study, "no-reduction").recipe
    for variant in study.variants[1:]:
        own = variant.recipe
        assert own.adapter is not None
        assert own.name != whole.name
        assert dataclasses.replace(own, name=whole.name, adapter=None, text=whole.text) == whole


def test_the_base_is_what_diffres_needs(study: Study) -> None:
    own = row(study, "diffres-50").recipe
    assert (own.frontend.settings.mels, own.frontend.settings.hop_samples) == (128, 160)
    assert (own.frontend.settings.log, own.frontend.settings.range_db) == ("ln", 0.0)
    assert own.training.augment == "frontend-output"
    assert own.training.patience == 0
    mask = own.augmentations[1].settings
    # As wide in mels and milliseconds as 6 of 64 mels and 2 frames of 20 ms.
    assert (mask.bins, mask.frames, mask.blank) == (12, 4, "lowest")
    assert own.augmentations[0].kind == "gain"


def test_a_short_window_gets_a_shorter_hop_and_the_page_says_so(
    sounds: Path, tmp_path: Path
) -> None:
    file = tmp_path / "short.toml"
    file.write_text(RECIPE.replace("channels = [4, 16]", "channels = [4, 4, 4, 4]"))
    made = diffres_study([sounds], recipes=[str(file)], out=tmp_path / "out", size=Size())
    # 38 frames of 10 ms leave 9 at 75 %, and four halvings take 16; 19 of 76 are enough.
    assert row(made, "no-reduction").recipe.frontend.settings.hop_samples == 80
    assert any("every 5 ms, not 10" in cut for cut in made.cuts)


def test_a_window_too_short_for_any_hop_is_refused(sounds: Path, tmp_path: Path) -> None:
    file = tmp_path / "deep.toml"
    file.write_text(RECIPE.replace("channels = [4, 16]", "channels = [4, 4, 4, 4, 4, 4, 4]"))
    with pytest.raises(RecipeError, match="halves its picture 7 times"):
        diffres_study([sounds], recipes=[str(file)], out=tmp_path / "out", size=Size())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "log-mel"', 'kind = "spectrogram"', "a frontend of kind 'spectrogram'"),
        ("[model]", '[adapter]\nkind = "diffres"\n[model]', "the adapter 'diffres'"),
    ],
)
def test_a_base_that_cannot_be_varied_is_refused(
    sounds: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    file = tmp_path / "other.toml"
    text = RECIPE.replace("mels = 64\n", "" if "spectrogram" in new else "mels = 128\n")
    file.write_text(text.replace(old, new))
    with pytest.raises(RecipeError, match=message):
        diffres_study([sounds], recipes=[str(file)], out=tmp_path / "out", size=Size())


def test_a_corpus_that_does_not_fit_is_refused(sounds: Path, recipe: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one recipe for each corpus"):
        diffres_study([sounds, sounds], recipes=[recipe], out=tmp_path, size=Size())
    with pytest.raises(CorpusError, match="no shipped recipe has the labels"):
        diffres_study([sounds], recipes=None, out=tmp_path, size=Size())
    few = write_corpus(tmp_path / "few", spread={"train": 10, "dev": 4, "eval": 3})
    with pytest.raises(CorpusError, match="3 recordings labelled 'hiss'; expected 4"):
        diffres_study([few], recipes=[recipe], out=tmp_path, size=Size())
    with pytest.raises(CorpusError, match="20 recordings to train on are too few"):
        diffres_study([sounds], recipes=[recipe], out=tmp_path, size=Size(clips=20))


def test_in_full_nothing_is_cut(sounds: Path, recipe: str, tmp_path: Path) -> None:
    made = diffres_study([sounds], recipes=[recipe], out=tmp_path / "o", size=Size(full=True))
    own = row(made, "no-reduction")
    assert trials_hash(own.corpus) == trials_hash(sounds)
    assert (own.recipe.training.epochs, own.recipe.training.batch_size) == (3, 8)
    assert {len(v.seeds) for v in made.variants} == {3}


def test_equal_accuracy_holds_and_lower_does_not(study: Study, tmp_path: Path) -> None:
    page = found(
        study,
        tmp_path,
        {
            "no-reduction": [2, 3, 2],
            "diffres-25": [2, 3, 2],
            "diffres-50": [6, 7, 6],
            "diffres-75": [0, 5, 3],
            "average-pool-50": [6, 7, 6],
            "change-hop-50": [8, 9, 8],
        },
    )
    said = {share: _sentence(page, f"{share} fewer frames**") for share in ("25 %", "50 %", "75 %")}
    assert "difference +0.0 [+0.0, +0.0] points: holds." in said["25 %"]
    assert "difference -40.0 [-40.0, -40.0] points: does not hold." in said["50 %"]
    assert "cannot be told from 3 seeds" in said["75 %"]
    assert "ChangeHop +20.0 [+20.0, +20.0] (better)" in said["50 %"]
    assert "AvgPool +0.0 [+0.0, +0.0] (cannot be told from 3 seeds)" in said["50 %"]


def test_compute_is_counted_with_the_scorer_and_without(study: Study, tmp_path: Path) -> None:
    page = found(study, tmp_path, {"no-reduction": [2, 2], "diffres-50": [2, 2]})
    # A network of a few weights saves nothing that its scorer does not spend many times over.
    whole, classifier = (
        _sentence(page, words) for words in ("the whole detector, sc", "classifier m")
    )
    assert "None of these rows saves so much" in whole
    assert "50 % fewer frames: holds" in classifier
    said = _sentence(page, "50 % fewer frames**")
    assert "the whole detector's" in said
    assert "% more; processor time" in said
    assert _sentence(page, "earns back")


def test_one_seed_tells_nothing_and_a_part_of_the_rows_is_a_page(
    study: Study, tmp_path: Path
) -> None:
    page = found(study, tmp_path, {"no-reduction": [2], "diffres-25": [1]})
    assert "difference +10.0 points: cannot be told from 1 seed." in _sentence(page, "25 % fewer")
    lone = found(study, tmp_path, {"diffres-25": [1]})
    assert len(lone.tables) == 1
    assert lone.tables[0].rows[0][:5] == ("DiffRes", "25", "1", "90.0", "-")
    assert all(picture.is_file() for picture in lone.pictures)


def _sentence(page: Findings, part: str) -> str:
    (sentence,) = [sentence for sentence in page.answers if part in sentence]
    return sentence


def test_costs_are_measured_and_kept(sounds: Path, recipe: str, tmp_path: Path) -> None:
    made = diffres_study([sounds], recipes=[recipe], out=tmp_path, size=Size(), deltas=[0.5])
    pair = [row(made, "no-reduction"), row(made, "diffres-50")]
    steps: list[str] = []
    whole, half = costs(pair, out=tmp_path, on_step=steps.append, rounds=3).values()
    assert whole.relative == 1.0
    # The scorer, and a stem that reads three channels instead of one.
    assert half.parameters - whole.parameters == 82_371 + 2 * 9 * 4
    assert 0.5 * whole.model_macs < half.model_macs < whole.model_macs
    assert half.macs - half.model_macs > whole.macs - whole.model_macs + 38 * 80_000
    assert min(whole.fp32_ms, half.fp32_ms) > 0
    assert costs(pair, out=tmp_path, on_step=steps.append)[pair[1].name] == half
    assert len(steps) == 1


def test_a_whole_tiny_study_writes_its_page_and_keeps_its_trainings(
    sounds: Path, recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size, out = Size(clips=32, epochs=1, seeds=1), tmp_path / "out"
    keep_costs(diffres_study([sounds], recipes=[recipe], out=out, size=size), out)
    told = ["--corpus", str(sounds), "--recipe", recipe, "--out", str(out), "--clips", "32"]
    command = ["study", "diffres", *told, "--epochs", "1", "--seeds", "1", "--threads", "1"]
    assert run([*command, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["trainings"]) == 16
    assert {t["judged"] for t in answer["trainings"]} == {30}
    (accuracy, pairs) = answer["tables"]
    assert len(accuracy["rows"]) == 16
    assert np.isfinite([float(cells[3]) for cells in accuracy["rows"]]).all()
    assert [cells[0] for cells in pairs["rows"]] == ["25", "50", "75"]
    page = (out / "diffres.md").read_text()
    assert "![diffres cost](diffres-cost.png)" in page
    assert "1 epochs instead of 3" in page
    kept = {file: file.stat().st_mtime_ns for file in out.rglob("done.json")}
    assert run([*command, "--json"]) == 0
    assert {file: file.stat().st_mtime_ns for file in out.rglob("done.json")} == kept
