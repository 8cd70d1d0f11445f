import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from earlet.errors import CorpusError
from earlet.manifest import WindowPolicy
from earlet_train.augmentations.gain import Gain, GainSettings
from earlet_train.dataset import batches, corpus_hash, load_split, training_window
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

    def deal(epoch: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        dealt = list(batches(split, recipe, [gain], epoch=epoch))
        assert [len(windows) for windows, _ in dealt] == [8] * 6
        return np.concatenate([w for w, _ in dealt]), np.concatenate([k for _, k in dealt])

    windows, labels = deal(0)
    assert windows.shape == (48, 12_000)
    assert windows.dtype == np.float32
    assert np.bincount(labels).tolist() == [24, 24]
    again, _ = deal(0)
    np.testing.assert_array_equal(again, windows)
    other, _ = deal(1)
    assert not np.array_equal(other, windows)


def test_labels_follow_the_order_of_the_recipe(corpus: Path, recipe_text: str) -> None:
    turned = parse_recipe('labels = ["spoof", "bonafide"]\n' + recipe_text, source="turned.toml")
    split = load_split(corpus, "train", recipe=turned)
    spoof = sum(int((labels == 0).sum()) for _, labels in batches(split, turned, [], epoch=0))
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


def test_missing_recordings_are_counted_and_named(
    corpus: Path, recipe: Recipe, tmp_path: Path
) -> None:
    tree = Path(shutil.copytree(corpus, tmp_path / "tree"))
    for name in ("T_dev_003", "T_dev_007"):
        (tree / "tiny_dev" / "flac" / f"{name}.flac").unlink()
    with pytest.raises(CorpusError, match=r"2 of the 24 .*T_dev_003\.flac"):
        load_split(tree, "dev", recipe=recipe)


def test_a_recording_that_is_too_short_is_named(
    corpus: Path, recipe: Recipe, tmp_path: Path
) -> None:
    tree = Path(shutil.copytree(corpus, tmp_path / "tree"))
    file = tree / "tiny_dev" / "flac" / "T_dev_003.flac"
    soundfile.write(file, np.zeros(100), 16_000)
    with pytest.raises(CorpusError, match=r"T_dev_003\.flac: found 100 samples"):
        load_split(tree, "dev", recipe=recipe)


def test_labels_that_the_recipe_lacks_are_refused(corpus: Path, recipe_text: str) -> None:
    other = parse_recipe('labels = ["cat", "spoof"]\n' + recipe_text, source="other.toml")
    with pytest.raises(CorpusError, match="'bonafide'"):
        load_split(corpus, "dev", recipe=other)
