import json
import shutil
from pathlib import Path

import pytest
import torch

from earlet.errors import CorpusError, RecipeError, UsageError
from earlet_train.checkpoint import load_checkpoint
from earlet_train.recipe import Recipe, parse_recipe
from earlet_train.record import Epoch, Run
from earlet_train.run import Options, train_run

FILES = ("best.safetensors", "last.safetensors")


class Onlooker:
    """Counts what it sees; pulls the plug at one batch if asked to."""

    def __init__(self, *, kill_at: int = -1) -> None:
        self.kill_at, self.read, self.steps, self.rows = kill_at, 0, 0, list[Epoch]()
        self.epoch_steps = 0
        self.told: list[str] = []

    def reading(self) -> None:
        self.read += 1

    def left_out(self, words: str) -> None:
        self.told.append(words)

    def began(self, epoch: int, *, steps: int) -> None:
        self.epoch_steps = steps

    def stepped(self, loss: float) -> None:
        self.steps += 1
        if self.steps == self.kill_at:
            raise KeyboardInterrupt

    def ended(self, row: Epoch, *, is_best: bool) -> None:
        self.rows.append(row)


@pytest.fixture
def recipe(recipe_text: str) -> Recipe:
    return parse_recipe(recipe_text, source="tiny.toml")


def go(
    recipe: Recipe,
    corpus: Path,
    out: Path,
    onlooker: Onlooker | None = None,
    *,
    resume: bool = False,
    epochs: int | None = None,
    clips: int | None = None,
    limit_minutes: float = float("inf"),
    device: str = "cpu",
    skip_bad: bool = False,
) -> Run:
    options = Options(
        skip_bad=skip_bad,
        device=device,
        threads=1,
        resume=resume,
        epochs=epochs,
        clips=clips,
        limit_minutes=limit_minutes,
    )
    watcher = onlooker or Onlooker()
    return train_run(recipe, corpus=corpus, out=out, options=options, watcher=watcher)


def test_three_epochs_tell_voices_from_buzzes(recipe: Recipe, corpus: Path, tmp_path: Path) -> None:
    onlooker = Onlooker()
    run = go(recipe, corpus, tmp_path / "run", onlooker)
    assert run.best is not None
    assert run.best.dev_eer < 0.2
    assert run.history[-1].train_loss < run.history[0].train_loss
    assert (onlooker.read, onlooker.steps, len(onlooker.rows)) == (72, 18, 3)
    assert onlooker.epoch_steps == 6
    assert run.labels_held == run.labels_dealt == {"bonafide": 24, "spoof": 24}
    written = json.loads((tmp_path / "run" / "run.json").read_text())
    assert written["stopped"] == "all 3 epochs done"
    assert written["best"]["epoch"] == run.best.epoch
    picture = (tmp_path / "run" / "learning_curve.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert not list((tmp_path / "run").glob("*.partial"))


def test_the_checkpoint_of_a_run_judges_as_its_history_says(
    recipe: Recipe, corpus: Path, tmp_path: Path
) -> None:
    run = go(recipe, corpus, tmp_path / "run")
    checkpoint = load_checkpoint(tmp_path / "run")
    assert run.best is not None
    assert checkpoint.origin.dev_eer == run.best.dev_eer
    assert checkpoint.origin.epoch == run.best.epoch
    assert checkpoint.origin.corpus_sha256 == run.corpus_sha256
    assert checkpoint.recipe == recipe


@pytest.mark.parametrize("kill_at", [2, 9, 18])
def test_a_run_that_was_killed_goes_on_to_the_same_bytes(
    recipe: Recipe, corpus: Path, tmp_path: Path, kill_at: int
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    expected = go(recipe, corpus, whole)
    with pytest.raises(KeyboardInterrupt):
        go(recipe, corpus, broken, Onlooker(kill_at=kill_at))
    # As a kill in the middle of writing leaves it.
    (broken / ".resume.pt.123.partial").write_bytes(b"half")
    onlooker = Onlooker()
    resumed = go(recipe, corpus, broken, onlooker, resume=True)
    # At most the epoch at hand was lost.
    assert len(onlooker.rows) == 3 - (kill_at - 1) // 6
    for name in FILES:
        assert (broken / name).read_bytes() == (whole / name).read_bytes()
    assert [row.dev_loss for row in resumed.history] == [row.dev_loss for row in expected.history]
    assert not list(broken.glob(".*"))


def test_a_finished_run_has_nothing_left_to_resume(
    recipe: Recipe, corpus: Path, tmp_path: Path
) -> None:
    finished, onlooker = go(recipe, corpus, tmp_path / "run"), Onlooker()
    assert go(recipe, corpus, tmp_path / "run", onlooker, resume=True) == finished
    assert onlooker.steps == 0


def test_another_seed_gives_other_weights(recipe_text: str, corpus: Path, tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("two", 2)):
        text = recipe_text.replace("seed = 3", f"seed = {seed}")
        go(parse_recipe(text, source="tiny.toml"), corpus, tmp_path / name, epochs=1)
    one, two = (load_checkpoint(tmp_path / name).weights for name in ("one", "two"))
    assert not torch.equal(one["model.output.weight"], two["model.output.weight"])


def test_patience_ends_a_run_that_no_longer_improves(
    recipe_text: str, corpus: Path, tmp_path: Path
) -> None:
    patient = recipe_text.replace("epochs = 3", "epochs = 40\npatience = 2")
    run = go(parse_recipe(patient, source="tiny.toml"), corpus, tmp_path / "run")
    assert run.best is not None
    assert len(run.history) == run.best.epoch + 2 < 40
    assert run.stopped == "2 epochs without a better dev EER"


def test_a_limit_of_time_begins_no_epoch_that_would_pass_it(
    recipe: Recipe, corpus: Path, tmp_path: Path
) -> None:
    run = go(recipe, corpus, tmp_path / "run", limit_minutes=1e-6)
    assert run.history == ()
    assert "limit" in run.stopped


@pytest.mark.parametrize(
    "changes",
    [
        'loss = "bce"',
        "label_smoothing = 0.1\nclass_weights = [2.0, 1.0]",
        'precision = "bfloat16"\nchannels_last = true',
        'optimizer = "adam"\nreset_optimizer_each_epoch = true\nclip_gradient_norm = 1.0',
        'balance = "multiply"\nbalance_to = 36\nfrontend_learning_rate = 1e-3',
        'balance = "undersample"\nbalance_to = 20\namsgrad = true\nbetas = [0.9, 0.98]',
        'augment = "frontend-output"\n[[augmentation]]\nkind = "mixup"',
    ],
)
def test_every_way_of_training_learns(
    recipe_text: str, corpus: Path, tmp_path: Path, changes: str
) -> None:
    recipe = parse_recipe(recipe_text + changes, source="tiny.toml")
    run = go(recipe, corpus, tmp_path / "run")
    assert run.best is not None
    assert run.best.dev_eer < 0.25


def test_a_run_that_is_there_is_not_overwritten(
    recipe: Recipe, corpus: Path, tmp_path: Path
) -> None:
    go(recipe, corpus, tmp_path / "run", epochs=1)
    with pytest.raises(UsageError, match="--resume"):
        go(recipe, corpus, tmp_path / "run")


def test_resuming_something_else_is_refused(
    recipe: Recipe, recipe_text: str, corpus: Path, tmp_path: Path
) -> None:
    go(recipe, corpus, tmp_path / "run", epochs=1)
    with pytest.raises(UsageError, match="epochs planned"):
        go(recipe, corpus, tmp_path / "run", epochs=2, resume=True)
    other = parse_recipe(recipe_text.replace("0.5", "0.6"), source="tiny.toml")
    with pytest.raises(UsageError, match="its recipe is not"):
        go(other, corpus, tmp_path / "run", epochs=1, resume=True)


def test_what_balance_deals_is_written_down(recipe_text: str, corpus: Path, tmp_path: Path) -> None:
    text = recipe_text + 'balance = "multiply"\nbalance_to = 30\n'
    onlooker = Onlooker()
    go(parse_recipe(text, source="tiny.toml"), corpus, tmp_path / "run", onlooker, epochs=1)
    written = json.loads((tmp_path / "run" / "run.json").read_text())
    assert written["balance"] == "multiply"
    assert written["labels_held"] == {"bonafide": 24, "spoof": 24}
    assert written["labels_dealt"] == {"bonafide": 30, "spoof": 30}
    assert onlooker.steps == onlooker.epoch_steps == 8


def test_a_quick_look_says_so_and_goes_on_only_as_one(
    recipe: Recipe, corpus: Path, tmp_path: Path
) -> None:
    onlooker = Onlooker()
    run = go(recipe, corpus, tmp_path / "run", onlooker, clips=12, limit_minutes=1e-9)
    assert onlooker.read == 24
    assert (run.clips, run.train_trials, run.dev_trials) == (12, 12, 12)
    look = go(recipe, corpus, tmp_path / "look", clips=12, epochs=1)
    assert look.labels_held == {"bonafide": 6, "spoof": 6}
    with pytest.raises(UsageError, match="its clips is not"):
        go(recipe, corpus, tmp_path / "look", clips=14, epochs=1, resume=True)
    with pytest.raises(UsageError, match="its clips is not"):
        go(recipe, corpus, tmp_path / "look", epochs=1, resume=True)


def test_bad_recordings_are_refused_before_anything_is_written_or_left_out_for_good(
    recipe: Recipe, corpus: Path, tmp_path: Path
) -> None:
    tree = Path(shutil.copytree(corpus, tmp_path / "tree"))
    (tree / "tiny_train" / "flac" / "T_train_005.flac").unlink()
    whole = (tree / "tiny_dev" / "flac" / "T_dev_007.flac").read_bytes()
    (tree / "tiny_dev" / "flac" / "T_dev_007.flac").write_bytes(b"")
    with pytest.raises(CorpusError, match="2 of 72 recordings cannot be used"):
        go(recipe, tree, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    bad = {"T_train_005": "is missing", "T_dev_007": "is empty (0 bytes)"}
    run = go(recipe, tree, tmp_path / "all", onlooker := Onlooker(), skip_bad=True, epochs=1)
    assert run.left_out == bad
    assert (run.train_trials, run.dev_trials) == (47, 23)
    (words,) = onlooker.told
    assert words.startswith("left out 2 of 72 recordings")
    assert "T_dev_007.flac is empty (0 bytes)" in words
    assert json.loads((tmp_path / "all" / "run.json").read_text())["left_out"] == bad
    # It goes on with the very same recordings, or not at all.
    assert go(recipe, tree, tmp_path / "all", skip_bad=True, epochs=1, resume=True) == run
    with pytest.raises(CorpusError, match="2 of 72"):
        go(recipe, tree, tmp_path / "all", epochs=1, resume=True)
    (tree / "tiny_dev" / "flac" / "T_dev_007.flac").write_bytes(whole)
    with pytest.raises(UsageError, match="its corpus is not the one given now"):
        go(recipe, tree, tmp_path / "all", skip_bad=True, epochs=1, resume=True)


def test_a_label_that_is_absent_is_refused_before_a_recording_is_opened(
    recipe: Recipe, corpus: Path, tmp_path: Path
) -> None:
    tree = Path(shutil.copytree(corpus, tmp_path / "tree"))
    protocol = tree / "tiny_cm_protocols" / "tiny.cm.dev.trl.txt"
    rows = protocol.read_text().splitlines()
    protocol.write_text("\n".join(row for row in rows if row.endswith("spoof")) + "\n")
    onlooker = Onlooker()
    with pytest.raises(CorpusError, match="'dev' has no recording labelled bonafide among its 12"):
        go(recipe, tree, tmp_path / "run", onlooker)
    assert onlooker.read == 0


def test_leaving_recordings_out_may_not_leave_a_label_out(
    recipe: Recipe, corpus: Path, tmp_path: Path
) -> None:
    tree = Path(shutil.copytree(corpus, tmp_path / "tree"))
    for file in (tree / "tiny_dev" / "flac").iterdir():
        if int(file.stem[-3:]) % 2:
            file.unlink()
    with pytest.raises(CorpusError, match="'dev' has no recording labelled spoof among its 12"):
        go(recipe, tree, tmp_path / "run", skip_bad=True)


def test_a_run_of_an_older_earlet_goes_on(recipe: Recipe, corpus: Path, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    go(recipe, corpus, whole)
    with pytest.raises(KeyboardInterrupt):
        go(recipe, corpus, broken, Onlooker(kill_at=9))
    # What earlier versions wrote: no scaler, and fewer facts about the run.
    state = torch.load(broken / "resume.pt", weights_only=True)
    del state["scaler"]
    facts = json.loads(state["run"])
    for name in ("clips", "balance", "labels_held", "labels_dealt", "processes", "left_out"):
        del facts[name]
    torch.save(state | {"run": json.dumps(facts)}, broken / "resume.pt")
    go(recipe, corpus, broken, resume=True)
    for name in FILES:
        assert (broken / name).read_bytes() == (whole / name).read_bytes()


def test_a_recipe_that_cannot_be_built_is_refused_before_the_corpus_is_read(
    recipe_text: str, tmp_path: Path
) -> None:
    text = recipe_text.replace("window_samples = 12000", "window_samples = 200")
    short = parse_recipe(text.replace("= 4000", "= 1"), source="mine.toml")
    with pytest.raises(RecipeError, match=r"mine.toml: \[frontend\] of kind 'bands'"):
        go(short, tmp_path / "nowhere", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_half_precision_asks_for_a_gpu(recipe_text: str, corpus: Path, tmp_path: Path) -> None:
    half = parse_recipe(recipe_text + 'precision = "float16"', source="tiny.toml")
    with pytest.raises(UsageError, match=r"tiny.toml: \[training\] precision .*GPU"):
        go(half, corpus, tmp_path / "run")


def test_a_device_that_is_not_there_is_refused(
    recipe: Recipe, corpus: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="no device 'tpu'"):
        go(recipe, corpus, tmp_path / "run", device="tpu")


def test_no_folder_is_made_for_a_corpus_that_is_not_there(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="earlet corpus build"):
        go(recipe, tmp_path / "nowhere", tmp_path / "run")
    assert not (tmp_path / "run").exists()
