"""The study of pictures: its rows, what it makes of scores, and a whole tiny run of it."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from earlet.cli import run
from earlet.errors import CorpusError, RecipeError, UsageError
from earlet.protocol import Trial, read_protocol
from earlet.table import write_table
from earlet_export.studies.grid import Answer, Done
from earlet_export.studies.images import images_study
from earlet_export.studies.images_published import BY_ATTACK
from earlet_export.studies.options import Size
from earlet_export.studies.study import Study
from earlet_export.studies.variant import Variant

RECIPE = """
name = "tiny-spectrogram"
version = "1"
description = "For tests"
[data]
window_samples = 2000
hop_samples = 2000
min_samples = 500
[frontend]
kind = "spectrogram-image"
n_fft = 128
hop_samples = 64
size = 16
[model]
kind = "vgg"
groups = [[4], [8]]
[training]
epochs = 4
batch_size = 8
warmup_epochs = 1.0
"""
SPREAD = {"train": (4, 36), "dev": (6, 6), "eval": (9, 18)}
Scores = NDArray[np.float64]


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tones are human, noise is spoof; train is nine to one, eval has an attack of its own."""
    root = tmp_path_factory.mktemp("corpora") / "sounds"
    root.mkdir()
    (root / "corpus.json").write_text("{}")
    rng = np.random.default_rng(4)
    for split, (humans, spoofs) in SPREAD.items():
        trials = []
        for i in range(humans + spoofs):
            genuine = i < humans
            time_s = np.arange(2_500) / 16_000
            wave = np.sin(2 * np.pi * rng.uniform(200, 3_000) * time_s) * genuine
            path = root / f"{split}_{i}.flac"
            soundfile.write(path, 0.3 * wave + 0.05 * rng.standard_normal(2_500), 16_000)
            attacks = ("A01", "A02", "A03" if split == "eval" else "A01")
            trials.append(
                Trial(
                    speaker=f"p{i % 3}",
                    file=path.stem,
                    system="-" if genuine else attacks[i % 3],
                    key="bonafide" if genuine else "spoof",
                    path=path,
                )
            )
        with (root / f"{split}.tsv").open("w", newline="") as stream:
            write_table(stream, trials)
    return root


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    file = tmp_path / "tiny.toml"
    file.write_text(RECIPE)
    return str(file)


@pytest.fixture
def tiny(speech: Path, recipe: str, tmp_path: Path) -> Study:
    return images_study(speech, recipes=[recipe], out=tmp_path / "out", size=Size())


def test_the_whole_study_runs_and_is_kept(
    speech: Path, recipe: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "study"
    arguments = ["study", "images", "--corpus", str(speech), "--out", str(out), "--recipe", recipe]
    arguments += ["--epochs", "1", "--seeds", "1", "--threads", "1"]
    assert run([*arguments, "--json"]) == 0, capfd.readouterr().err
    told = json.loads(capfd.readouterr().out)
    epochs = {row["variant"]: row["epochs"] for row in told["trainings"]}
    assert epochs == {
        "tiny-spectrogram-none": 2,
        "tiny-spectrogram-multiply": 1,
        "tiny-spectrogram-undersample": 9,
        "tiny-waveform-multiply": 1,
        "tiny-waveform-undersample": 9,
    }
    assert {row["train_recordings"] for row in told["trainings"]} == {40}
    assert [row[0] for row in told["tables"][2]["rows"]] == [
        "human",
        "A01 (trained on)",
        "A02 (trained on)",
        "A03",
        "total",
    ]
    for name in ("images-confusion.png", "images-attacks.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    done = out / "runs" / "tiny-waveform-multiply" / "seed-1" / "done.json"
    kept = done.stat().st_mtime_ns
    assert run(arguments) == 0
    assert "training 1 of" not in capfd.readouterr().err
    assert done.stat().st_mtime_ns == kept
    page = (out / "images.md").read_text()
    assert "![images confusion](images-confusion.png)" in page
    assert "| calling everything spoof | 0.0 | 100.0 | 66.7 | 90.0 | 50.0 |" in page
    assert "A08 is missing" in page
    assert "train 4 genuine and 36 spoofed recordings, 2 attacks" in page
    for told in ("| EER |", "balanced", "by attack", "Seeds 1;", "1 to 9 epochs", "(threads: 1)"):
        assert told in page, told


def test_both_networks_look_at_both_pictures(speech: Path, tmp_path: Path) -> None:
    study = images_study(speech, out=tmp_path, size=Size())
    recipes = {variant.name: variant.recipe for variant in study.variants}
    assert all(found.name == name for name, found in recipes.items())
    assert {variant.name: len(variant.seeds) for variant in study.variants} == {
        "vgg-spectrogram-none": 2,
        "vgg-spectrogram-multiply": 2,
        "vgg-spectrogram-undersample": 2,
        "vgg-waveform-multiply": 2,
        "vgg-waveform-undersample": 2,
        "resnet50-spectrogram-multiply": 1,
        "resnet50-waveform-multiply": 1,
    }
    waveform = recipes["vgg-waveform-multiply"]
    assert waveform.frontend.kind == "waveform-image"
    assert waveform.model == recipes["vgg-spectrogram-multiply"].model
    assert recipes["resnet50-waveform-multiply"].training.batch_size == 50
    assert [part.kind for part in waveform.augmentations] == ["image-geometry"]
    assert recipes["vgg-spectrogram-none"].augmentations == ()


def test_all_rows_of_a_network_look_at_as_many_pictures(tiny: Study) -> None:
    humans = 4
    dealt = {"none": 10 * humans, "multiply": 18 * humans, "undersample": 2 * humans}
    looked_at = [v.recipe.training.epochs * dealt[v.recipe.training.balance] for v in tiny.variants]
    assert max(looked_at) <= 1.1 * min(looked_at)


def test_a_warm_up_shrinks_with_its_training(tiny: Study) -> None:
    for variant in tiny.variants:
        training = variant.recipe.training
        assert training.warmup_epochs == pytest.approx(training.epochs / 4)


def test_training_is_nine_to_one_and_eval_keeps_its_proportion(tiny: Study) -> None:
    corpus = tiny.variants[0].corpus
    counts = {split: [t.key for t in read_protocol(corpus, split)] for split in SPREAD}
    assert [counts["train"].count(key) for key in ("bonafide", "spoof")] == [4, 36]
    assert [counts["dev"].count(key) for key in ("bonafide", "spoof")] == [6, 6]
    assert [counts["eval"].count(key) for key in ("bonafide", "spoof")] == [9, 18]


def test_everything_called_spoof_is_said_and_its_accuracy_shown_up(
    tiny: Study, tmp_path: Path
) -> None:
    answers = [_answer(tiny, "tiny-spectrogram-none", scores=_sure(tiny) + 9, even_odds=0.0)]
    found = tiny.find(answers, tmp_path)
    assert "everything is predicted spoof, as the project tells" in found.answers[0]
    assert "accuracy of 90.0 %" in found.answers[0]
    assert (
        "balanced accuracy 50.0 %, and 100.0 % at the threshold chosen on dev" in found.answers[0]
    )
    own, chosen = (table.rows[0] for table in found.tables[:2])
    # Human right, spoof right, total, at 9 to 1, balanced; then EERs.
    assert own[1:6] == ("0.0", "100.0", "66.7", "90.0", "50.0")
    assert chosen[1:6] == ("100.0",) * 5
    assert own[6:10] == chosen[6:10] == ("0.0",) * 4
    assert found.tables[2].rows[0] == ("human", "0.0")
    assert found.tables[3].rows[0] == ("human", "100.0")


def test_a_network_that_hears_humans_did_not_call_everything_spoof(
    tiny: Study, tmp_path: Path
) -> None:
    answers = [_answer(tiny, "tiny-spectrogram-none", scores=_sure(tiny), even_odds=0.0)]
    found = tiny.find(answers, tmp_path)
    assert "not everything is predicted spoof as the project tells" in found.answers[0]


def test_a_remedy_that_leaves_a_network_blind_is_called_that(tiny: Study, tmp_path: Path) -> None:
    answers = [
        _answer(tiny, "tiny-waveform-multiply", scores=_sure(tiny) - 9, even_odds=0.0),
        _answer(tiny, "tiny-waveform-undersample", scores=_sure(tiny), even_odds=0.0),
    ]
    told = [s for s in tiny.find(answers, tmp_path).answers if "everything is predicted" in s]
    assert len(told) == 1
    assert told[0].startswith("tiny, waveform, multiply: at its own decision everything is")
    assert "predicted human" in told[0]


def test_a_remedy_that_moves_the_decision_alone_is_called_that(tiny: Study, tmp_path: Path) -> None:
    def scores(name: str, seed: int) -> Scores:
        return _sure(tiny) + (9 + seed if "none" in name else 0)

    told = " ".join(tiny.find(_grid(tiny, scores), tmp_path).answers)
    (sentence,) = [s for s in told.split(" nothing done against ") if s.startswith("undersample")]
    assert "balanced accuracy at the own decision 50.0 ± 0.0 % against 100.0 ± 0.0 %" in sentence
    assert "undersample is better, 2 pairs" in sentence
    assert "EER 0.0 ± 0.0 % against 0.0 ± 0.0 %, +0.0 [+0.0, +0.0] points: cannot be" in sentence
    assert "the remedy moved where it decides" in sentence


def test_the_better_picture_is_called_better_and_equal_ones_are_not(
    tiny: Study, tmp_path: Path
) -> None:
    def better(name: str, seed: int) -> Scores:
        return _sure(tiny) if "waveform" in name else _doubtful(tiny, seed)

    def equal(name: str, seed: int) -> Scores:
        del name
        return _doubtful(tiny, seed)

    def worse(name: str, seed: int) -> Scores:
        return _sure(tiny) if "spectrogram" in name else _doubtful(tiny, seed)

    verdicts = []
    for made in (better, equal, worse):
        told = tiny.find(_grid(tiny, made), tmp_path).answers
        (sentence,) = [s for s in told if s.startswith("tiny, spectrogram against waveform: EER")]
        # Two remedies, two seeds.
        verdicts.append(sentence.split(";")[0].split(": ")[-1])
    assert verdicts == [
        "waveform is better, 4 pairs",
        "cannot be told from 4 pairs",
        "waveform is worse, 4 pairs",
    ]


def test_one_pair_tells_nothing(tiny: Study, tmp_path: Path) -> None:
    names = ("tiny-spectrogram-multiply", "tiny-waveform-multiply")
    answers = [
        _answer(tiny, names[0], scores=_sure(tiny), even_odds=0.0),
        _answer(tiny, names[1], scores=-_sure(tiny), even_odds=0.0),
    ]
    told = tiny.find(answers, tmp_path).answers
    (sentence,) = [s for s in told if s.startswith("tiny, spectrogram against waveform")]
    assert "EER 0.0 % against 100.0 %, +100.0 points: cannot be told from one seed" in sentence
    assert all("nothing done" not in sentence for sentence in told)


def test_an_attack_that_totals_hide_is_named(tiny: Study, tmp_path: Path) -> None:
    scores = _sure(tiny)
    trials = read_protocol(tiny.variants[0].corpus, "eval")
    scores[[t.system == "A03" for t in trials]] = -5
    answers = [_answer(tiny, "tiny-spectrogram-multiply", scores=scores, even_odds=0.0)]
    told = tiny.find(answers, tmp_path).answers
    assert "finds 0.0 % of A03" in told[-1]


def test_what_was_published_keeps_its_slips() -> None:
    rates = {name: values for name, *values in BY_ATTACK}
    assert rates["A08"] == [None, None]
    assert rates["A11"] == rates["A16"]
    assert len(rates) == 14


def test_other_pictures_and_other_labels_are_refused(
    speech: Path, recipe: str, tmp_path: Path
) -> None:
    def asked(*recipes: str) -> Study:
        return images_study(speech, recipes=recipes, out=tmp_path / "out", size=Size())

    with pytest.raises(RecipeError, match="expected 'spectrogram-image'"):
        asked("demo")
    with pytest.raises(RecipeError, match="expected bonafide and spoof"):
        asked("instruments")
    with pytest.raises(UsageError, match="Give each recipe once"):
        asked(recipe, recipe)
    assert not (tmp_path / "out").exists()


def test_a_corpus_that_does_not_fit_is_refused(speech: Path, recipe: str, tmp_path: Path) -> None:
    def asked(corpus: Path, size: Size) -> Study:
        return images_study(corpus, recipes=[recipe], out=tmp_path / "out", size=size)

    with pytest.raises(CorpusError, match=r"has 4 recordings labelled 'bonafide'.*needs 5"):
        asked(speech, Size(clips=50))
    other = tmp_path / "other"
    other.mkdir()
    (other / "corpus.json").write_text("{}")
    for split in SPREAD:
        text = (speech / f"{split}.tsv").read_text()
        (other / f"{split}.tsv").write_text(text.replace("bonafide", "dog"))
    with pytest.raises(CorpusError, match="the first, 'train_0', 'dog'"):
        asked(other, Size())
    for split in SPREAD:
        rows = (speech / f"{split}.tsv").read_text().splitlines()
        (other / f"{split}.tsv").write_text("\n".join(r for r in rows if "spoof" not in r) + "\n")
    with pytest.raises(CorpusError, match="4 bona fide and 0 spoofed"):
        asked(other, Size())
    assert not (tmp_path / "out").exists()


def test_a_recording_of_eval_that_cannot_be_heard_is_named_before_any_training(
    speech: Path, recipe: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "corpus.json").write_text("{}")
    for split in SPREAD:
        trials = read_protocol(speech, split)
        if split == "eval":
            (tmp_path / "empty.flac").touch()
            trials[-1] = dataclasses.replace(trials[-1], path=tmp_path / "empty.flac")
        with (broken / f"{split}.tsv").open("w", newline="") as stream:
            write_table(stream, trials)
    out = tmp_path / "study"
    arguments = ["--corpus", str(broken), "--out", str(out), "--recipe", recipe]
    assert run(["study", "images", *arguments]) == 2
    assert "empty.flac" in capfd.readouterr().err
    assert not (out / "runs").exists()


def _grid(study: Study, scores: Callable[[str, int], Scores]) -> list[Answer]:
    return [
        _answer(study, v.name, scores=scores(v.name, seed), even_odds=0.0, seed=seed)
        for v in study.variants
        for seed in v.seeds
    ]


def _answer(study: Study, name: str, *, scores: Scores, even_odds: float, seed: int = 1) -> Answer:
    """As if a training had given these scores of eval; dev's threshold is in their middle."""
    variant = _named(study.variants, name)
    dev = [t.is_spoof for t in read_protocol(variant.corpus, "dev")]
    done = Done(
        variant=name,
        seed=seed,
        recipe_sha256="0" * 64,
        corpus="sounds",
        corpus_sha256="0" * 64,
        epochs=1,
        best_epoch=1,
        train_recordings=40,
        dev_recordings=12,
        judged=len(scores),
        parameters=1,
        threshold=float(scores.min() + scores.max()) / 2,
        minutes=1.0,
        threads=1,
        device="cpu",
        even_odds=even_odds,
    )
    return Answer(variant=variant, done=done, dev=np.array(dev, dtype=np.float64), eval=scores)


def _named(variants: Sequence[Variant], name: str) -> Variant:
    (found,) = [v for v in variants if v.name == name]
    return found


def _sure(study: Study) -> Scores:
    """Eval told apart without an error: about -1 for a human, about 1 for a machine."""
    spoof = np.array([t.is_spoof for t in read_protocol(study.variants[0].corpus, "eval")])
    return np.where(spoof, 1.0, -1.0) + np.linspace(0, 0.1, len(spoof))


def _doubtful(study: Study, seed: int) -> Scores:
    """Every third recording of each kind on the wrong side, and `seed` more."""
    scores = _sure(study)
    scores[::3] *= -1
    scores[1 : 1 + seed] *= -1
    return scores
