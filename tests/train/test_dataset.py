import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from earlet.errors import CorpusError
from earlet.manifest import WindowPolicy
from earlet.protocol import read_protocol
from earlet_train.augmentations.gain import Gain, GainSettings
from earlet_train.dataset import (
    Batch,
    Split,
    batches,
    corpus_hash,
    evenly,
    labels_dealt,
    list_trials,
    load_split,
    read_splits,
    steps_per_epoch,
    training_window,
)
from earlet_train.recipe import Recipe, parse_recipe

POLICY = WindowPolicy(window_samples=1000, hop_samples=500, min_samples=10)


@pytest.fixture
def recipe(recipe_text: str) -> Recipe:
    return parse_recipe(recipe_text, source="tiny.toml")


def test_a_split_holds_every_recording_as_it_is_on_disk(corpus: Path, recipe: Recipe) -> None:
    read = []
    split = load_split(corpus, "dev", recipe=recipe, on_progress=lambda: read.append(1))
    assert len(split) == len(read) == 24
    assert int(split.is_spoof.sum()) == 12
    expected, _ = soundfile.read(split.trials[5].path, dtype="float32")
    np.testing.assert_array_equal(split.waveform(5), expected)


def test_an_epoch_deals_every_trial_once_and_the_next_in_another_order(
    corpus: Path, recipe: Recipe
) -> None:
    split = load_split(corpus, "train", recipe=recipe)
    gain = Gain(GainSettings(), sample_rate_hz=16_000)

    def deal(epoch: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        dealt = list(batches(split, recipe, [gain], epoch=epoch))
        assert [(len(batch.windows), batch.rows) for batch in dealt] == [(8, 8)] * 6
        return windows_of(dealt), np.concatenate([batch.targets for batch in dealt])

    windows, targets = deal(0)
    assert windows.shape == (48, 12_000)
    assert windows.dtype == targets.dtype == np.float32
    np.testing.assert_array_equal(np.sort(targets, axis=1), [[0, 1]] * 48)
    assert targets.sum(axis=0).tolist() == [24, 24]
    again, _ = deal(0)
    np.testing.assert_array_equal(again, windows)
    other, _ = deal(1)
    assert not np.array_equal(other, windows)


def windows_of(dealt: Iterable[Batch]) -> NDArray[np.float32]:
    return np.concatenate([batch.windows[: batch.rows] for batch in dealt])


@pytest.mark.parametrize("processes", [2, 3, 5])
def test_processes_deal_together_what_one_deals_alone(
    corpus: Path, recipe_text: str, processes: int
) -> None:
    text = recipe_text.replace("batch_size = 8", "batch_size = 47")
    recipe = parse_recipe(text, source="tiny.toml")
    split = load_split(corpus, "train", recipe=recipe)
    gain = Gain(GainSettings(), sample_rate_hz=16_000)
    alone = list(batches(split, recipe, [gain], epoch=2))
    shares = [
        list(batches(split, recipe, [gain], epoch=2, rank=rank, processes=processes))
        for rank in range(processes)
    ]
    for number, whole in enumerate(alone):
        parts = [share[number] for share in shares]
        assert sum(part.rows for part in parts) == whole.rows
        for rank, part in enumerate(parts):
            np.testing.assert_array_equal(part.windows[: part.rows], whole.windows[rank::processes])
    # The last batch is one clip: the others have none of it, but something to go through the net.
    assert [share[1].rows for share in shares] == [1] + [0] * (processes - 1)
    assert all(len(share[1].windows) == 1 for share in shares)


def test_copies_are_marked_and_differ_from_their_recording(corpus: Path, recipe_text: str) -> None:
    recipe = parse_recipe(
        recipe_text + 'balance = "multiply"\nbalance_to = 30\n', source="tiny.toml"
    )
    split = load_split(corpus, "train", recipe=recipe)
    gain = Gain(GainSettings(), sample_rate_hz=16_000)
    assert labels_dealt(split, recipe) == {"bonafide": 30, "spoof": 30}
    assert steps_per_epoch(split, recipe) == 8
    dealt = list(batches(split, recipe, [gain], epoch=0))
    assert len(dealt) == 8
    assert sum(int(batch.is_copy.sum()) for batch in dealt) == 12
    assert len(np.unique(windows_of(dealt), axis=0)) == 60


def test_a_few_clips_are_spread_evenly_over_labels_and_systems(
    corpus: Path, recipe: Recipe
) -> None:
    def counts(split: Split) -> dict[str, int]:
        return dict(sorted(Counter(trial.system for trial in split.trials).items()))

    few = load_split(corpus, "train", recipe=recipe, clips=8)
    assert counts(few) == {"-": 4, "A01": 2, "A02": 2}
    # Where one label has no more, the others give the rest.
    trials = [t for t in read_protocol(corpus, "train") if t.system != "A02"]
    assert len(evenly(trials, 34, seed=1)) == 34
    assert Counter(t.key for t in evenly(trials, 34, seed=1)) == {"bonafide": 22, "spoof": 12}
    assert len(evenly(trials, 1000, seed=1)) == len(trials)
    assert evenly(trials, 10, seed=1) == evenly(trials, 10, seed=1) != evenly(trials, 10, seed=2)


def test_labels_follow_the_order_of_the_recipe(corpus: Path, recipe_text: str) -> None:
    turned = parse_recipe('labels = ["spoof", "bonafide"]\n' + recipe_text, source="turned.toml")
    split = load_split(corpus, "train", recipe=turned)
    spoof = sum(int(batch.targets[:, 0].sum()) for batch in batches(split, turned, [], epoch=0))
    assert spoof == int(split.is_spoof.sum())


def test_a_first_crop_is_the_beginning_and_a_random_one_lies_inside() -> None:
    ramp, rng = np.arange(5000, dtype=np.float32), np.random.default_rng(0)
    first = training_window(ramp, POLICY, crop="first", rng=rng)
    np.testing.assert_array_equal(first, ramp[:1000])
    starts = {int(training_window(ramp, POLICY, crop="random", rng=rng)[0]) for _ in range(50)}
    assert len(starts) > 25
    assert 0 <= min(starts) <= max(starts) <= 4000


def test_a_short_clip_is_tiled_from_a_random_place() -> None:
    ramp, rng = np.arange(300, dtype=np.float32), np.random.default_rng(0)
    for _ in range(20):
        window = training_window(ramp, POLICY, crop="random", rng=rng)
        assert window.shape == (1000,)
        np.testing.assert_array_equal(np.diff(window) % 300, 1)


def test_the_corpus_hash_knows_which_trials(corpus: Path, recipe: Recipe) -> None:
    train, dev = (load_split(corpus, name, recipe=recipe) for name in ("train", "dev"))
    assert corpus_hash(train, dev) == corpus_hash(train, dev)
    assert corpus_hash(train, dev) != corpus_hash(dev, train)


def test_all_that_cannot_be_used_is_named_at_once_and_left_out_only_as_asked(
    corpus: Path, recipe: Recipe, tmp_path: Path
) -> None:
    tree = Path(shutil.copytree(corpus, tmp_path / "tree"))
    spoil(tree)
    with pytest.raises(CorpusError, match="4 of 24 recordings cannot be used") as caught:
        load_split(tree, "dev", recipe=recipe)
    for told in (
        "T_dev_003.flac is missing",
        "T_dev_004.flac has 100 samples, expected at least 4000",
        "T_dev_009.flac has 2 channels, expected one",
        "T_dev_020.flac holds numbers that are not finite",
    ):
        assert told in str(caught.value)
    kept = load_split(tree, "dev", recipe=recipe, skip_bad=True)
    whole = load_split(corpus, "dev", recipe=recipe)
    assert [one.trial.file[-2:] for one in kept.left_out] == ["03", "04", "09", "20"]
    assert [t.file for t in kept.trials] == [
        t.file for t in whole.trials if t.file[-2:] not in ("03", "04", "09", "20")
    ]
    np.testing.assert_array_equal(kept.waveform(-1), whole.waveform(-1))
    assert corpus_hash(kept) != corpus_hash(whole)


def test_one_error_names_what_is_bad_in_any_split(
    corpus: Path, recipe: Recipe, tmp_path: Path
) -> None:
    tree = Path(shutil.copytree(corpus, tmp_path / "tree"))
    spoil(tree)
    (tree / "tiny_train" / "flac" / "T_train_000.flac").write_bytes(b"")
    listed = {name: list_trials(tree, name, recipe=recipe) for name in ("train", "dev")}
    with pytest.raises(CorpusError, match="5 of 72 recordings") as caught:
        read_splits(listed, corpus=tree, recipe=recipe)
    assert "T_train_000.flac is empty (0 bytes)" in str(caught.value)
    assert "T_dev_020" in str(caught.value)


def spoil(tree: Path) -> None:
    """Four of the dev recordings, each in its own way."""
    audio = tree / "tiny_dev" / "flac"
    (audio / "T_dev_003.flac").unlink()
    soundfile.write(audio / "T_dev_004.flac", np.zeros(100), 16_000)
    soundfile.write(audio / "T_dev_009.flac", np.zeros((9_000, 2)), 16_000)
    wave = np.full(9_000, np.nan)
    soundfile.write(audio / "T_dev_020.flac", wave, 16_000, format="WAV", subtype="FLOAT")


def test_labels_that_the_recipe_lacks_are_refused(corpus: Path, recipe_text: str) -> None:
    other = parse_recipe('labels = ["cat", "spoof"]\n' + recipe_text, source="other.toml")
    with pytest.raises(CorpusError, match="'bonafide'"):
        load_split(corpus, "dev", recipe=other)
