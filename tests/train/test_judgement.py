"""A split judged with many labels, and a whole run on four of them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score

from earlet.errors import CorpusError
from earlet.manifest import Pooling, WindowPolicy
from earlet.protocol import Trial
from earlet.scores import log_odds
from earlet.table import write_table
from earlet_train.checkpoint import load_checkpoint
from earlet_train.curve import chance_error
from earlet_train.judgement import Judgement, judge
from earlet_train.progress import Silence
from earlet_train.recipe import parse_recipe
from earlet_train.record import Epoch, Run
from earlet_train.run import Options, train_run

LABELS = ("high", "hiss", "low", "mute")
RATE_HZ = 16_000


def policy(pooling: Pooling) -> WindowPolicy:
    return WindowPolicy(window_samples=4, hop_samples=2, min_samples=1, pooling=pooling)


def linear(columns: int) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    weights = np.random.default_rng(1).standard_normal((4, columns)).astype(np.float32)
    return lambda windows: windows @ weights


RECORDINGS = [np.random.default_rng(i).standard_normal(n).astype(np.float32)
              for i, n in enumerate((3, 4, 6, 9, 17, 5))]  # fmt: skip


@pytest.mark.parametrize("pooling", ["mean", "max", "first"])
def test_every_label_is_pooled_over_the_windows_of_its_recording(pooling: Pooling) -> None:
    logits = linear(5)
    order = [4, 0, 3, 1, 2, 5]
    found = judge(order, RECORDINGS.__getitem__, logits, policy=policy(pooling), positive_index=2)
    assert found.classes is not None
    for row, index in enumerate(order):
        own = RECORDINGS[index]
        if len(own) <= 4:
            windows = [np.resize(own, 4)]
        else:
            at = list(range(0, len(own) - 3, 2))
            at += [] if at[-1] == len(own) - 4 else [len(own) - 4]
            windows = [own[a : a + 4] for a in at]
        said = logits(np.stack(windows[:1] if pooling == "first" else windows)).astype(float)
        chances = np.log(np.exp(said) / np.exp(said).sum(axis=1, keepdims=True))
        pooled = chances.max(axis=0) if pooling == "max" else chances.mean(axis=0)
        np.testing.assert_allclose(found.classes[row], pooled, atol=1e-5)
        odds = log_odds(said.astype(np.float32), positive_index=2)
        assert found.raw[row] == pytest.approx(odds.max() if pooling == "max" else odds.mean())


def test_two_labels_are_judged_by_their_log_odds_alone() -> None:
    found = judge(
        range(6), RECORDINGS.__getitem__, linear(2), policy=policy("mean"), positive_index=1
    )
    assert found.classes is None
    assert found.accuracy(np.array([0, 1, 0, 1, 0, 1])) is None


def test_macro_accuracy_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    labels = rng.choice(4, size=300, p=[0.7, 0.1, 0.1, 0.1])
    classes = np.eye(4)[labels] + rng.standard_normal((300, 4))
    found = Judgement(raw=classes[:, 0], classes=classes).accuracy(labels)
    assert found == pytest.approx(balanced_accuracy_score(labels, classes.argmax(axis=1)))


def test_a_rare_label_weighs_as_much_in_the_loss_as_a_frequent_one() -> None:
    classes = np.log(np.array([[0.8, 0.1, 0.1]] * 9 + [[0.8, 0.1, 0.1]]))
    labels = np.array([0] * 9 + [2])
    loss = Judgement(raw=classes[:, 0], classes=classes).loss(labels, labels == 0)
    assert loss == pytest.approx((-np.log(0.8) - np.log(0.1)) / 2)


def test_of_two_labels_both_ways_to_the_loss_agree() -> None:
    raw = np.random.default_rng(5).standard_normal(40) * 3
    labels = np.arange(40) % 2
    classes = -np.logaddexp(0, np.stack([raw, -raw], axis=1))
    by_odds = Judgement(raw=raw).loss(labels, labels == 1)
    assert by_odds == pytest.approx(Judgement(raw=raw, classes=classes).loss(labels, labels == 1))


def row(epoch: int, *, eer: float, accuracy: float | None, loss: float = 1.0) -> Epoch:
    return Epoch(epoch=epoch, train_loss=1.0, dev_loss=loss, dev_eer=eer, learning_rate=1e-3,
                 seconds=1.0, dev_accuracy=accuracy)  # fmt: skip


def test_the_most_accurate_epoch_is_kept_whatever_the_positive_label_does(run: Run) -> None:
    rows = (
        row(1, eer=0.01, accuracy=0.5),
        row(2, eer=0.40, accuracy=0.75, loss=2.0),
        row(3, eer=0.40, accuracy=0.75, loss=1.5),
    )
    from dataclasses import replace

    assert replace(run, history=rows).best == rows[2]
    two = (row(1, eer=0.2, accuracy=None), row(2, eer=0.1, accuracy=None))
    assert replace(run, history=two).best == two[1]


def sound(label: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """0.9 s: a high or a low buzz, noise, or next to nothing."""
    t = np.arange(int(0.9 * RATE_HZ)) / RATE_HZ
    noise = rng.standard_normal(len(t))
    pitch_hz = rng.uniform(*((90, 130) if label == "low" else (1800, 2600)))
    tone = sum(np.sin(2 * np.pi * k * pitch_hz * t) / k for k in range(1, 4))
    made = {"high": tone, "low": tone, "hiss": noise, "mute": 1e-3 * noise}[label]
    return np.asarray(0.1 * (made + 0.01 * noise))


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table corpus of four labels; a hundredth of them are of the rare one."""
    root = tmp_path_factory.mktemp("four")
    rng = np.random.default_rng(9)
    for split, each in (("train", 10), ("dev", 5)):
        trials = []
        (root / split).mkdir()
        for label in LABELS:
            for i in range(each if label != "mute" else max(2, each // 3)):
                path = Path(split) / f"{label}{i}.flac"
                soundfile.write(root / path, sound(label, rng), RATE_HZ, subtype="PCM_16")
                trials.append(Trial(speaker=f"s{i}", file=f"{split}-{label}{i}", system="-",
                                    key=label, path=path))  # fmt: skip
        with (root / f"{split}.tsv").open("w", encoding="utf-8", newline="") as stream:
            write_table(stream, trials)
    (root / "corpus.json").write_text("{}")
    return root


@pytest.fixture(scope="module")
def text() -> str:
    return f"""
name = "four"
version = "1"
description = "For tests"
labels = {json.dumps(LABELS)}
positive = "hiss"
[data]
window_samples = 12000
hop_samples = 12000
min_samples = 4000
[frontend]
kind = "bands"
bands = 32
[model]
kind = "narrow-cnn"
channels = [16, 16, 16]
[training]
epochs = 6
batch_size = 8
learning_rate = 5e-3
"""


@pytest.fixture(scope="module")
def out(four: Path, text: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "four"
    train(four, text, folder)
    return folder


@pytest.fixture
def run(out: Path) -> Run:
    from pydantic import TypeAdapter

    entry = json.loads((out / "run.json").read_text(encoding="utf-8"))
    del entry["best"]
    return TypeAdapter(Run).validate_python(entry)


def train(corpus: Path, text: str, out: Path, *, clips: int | None = None) -> Run:
    options = Options(device="cpu", threads=1, clips=clips)
    recipe = parse_recipe(text, source="four.toml")
    return train_run(recipe, corpus=corpus, out=out, options=options, watcher=Silence())


def test_four_labels_are_learned_and_the_run_says_how_well(run: Run, out: Path) -> None:
    best = run.best
    assert best is not None
    assert best.dev_accuracy is not None
    assert best.dev_accuracy > 0.7
    assert best.dev_accuracy == max(e.dev_accuracy or 0 for e in run.history)
    assert run.judged_by == "accuracy"
    assert "dev accuracy" in best.told
    assert chance_error(run) == pytest.approx(75)
    assert (out / "learning_curve.png").stat().st_size > 10_000


def test_the_checkpoint_still_has_a_score_of_its_positive_label(run: Run, out: Path) -> None:
    checkpoint = load_checkpoint(out)
    assert run.best is not None
    assert checkpoint.origin.epoch == run.best.epoch
    assert checkpoint.origin.dev_eer == run.best.dev_eer < 0.5
    assert np.isfinite(checkpoint.origin.threshold)


def test_a_split_without_one_of_the_labels_is_refused_before_any_work(
    four: Path, text: str, tmp_path: Path
) -> None:
    longer = text.replace('"mute"', '"mute", "bark"')
    with pytest.raises(CorpusError, match="no recording labelled bark"):
        train(four, longer, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_too_few_clips_to_have_every_label_are_refused(
    four: Path, text: str, tmp_path: Path
) -> None:
    with pytest.raises(CorpusError, match="more --clips"):
        train(four, text, tmp_path / "run", clips=3)
