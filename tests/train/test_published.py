"""A recipe may name the kind of a published dataset, which is then read without an import."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from published.trees import TREES

from earlet.cli import run
from earlet.errors import CorpusError, RecipeError, UsageError
from earlet.protocol import read_protocol
from earlet_train.published import Published, open_published
from earlet_train.recipe import Recipe, parse_recipe
from earlet_train.run import Options, read_corpus

FOLDERS = 'labels = ["cat", "dog bark"]\npositive = "cat"\n'
DATA = 'kind = "folders"\ndev_share = 0.2\nseed = 3\nsample_rate_hz = 8000\n'


@pytest.fixture
def written(recipe_text: str) -> Callable[..., str]:
    """The recipe's text with more in [data]."""

    def write(data: str, *, top: str = "") -> str:
        text = recipe_text.replace("min_samples = 4000", "min_samples = 400")
        return top + text.replace("[data]\n", f"[data]\n{data}")

    return write


@pytest.mark.parametrize(
    ("data", "kind", "options", "convert"),
    [
        ('kind = "asvspoof2019-la"\n', "asvspoof2019-la", {}, False),
        (DATA, "folders", {"dev_share": 0.2, "seed": 3}, False),
        (
            'kind = "urbansound8k"\nfold = 10\ndev_fold = 9\nconvert = true\n',
            "urbansound8k",
            {"fold": 10, "dev_fold": 9},
            True,
        ),
        ('kind = "asvspoof2021-la"\nkeys = "k"\n', "asvspoof2021-la", {"keys": Path("k")}, False),
        ('kind = "csv"\ndev_share = 0\n', "csv", {"dev_share": 0.0}, False),
    ],
)
def test_a_recipe_names_a_kind_and_its_options_and_needs_no_data_for_that(
    written: Callable[..., str], data: str, kind: str, options: dict[str, object], convert: bool
) -> None:
    recipe = parse_recipe(written(data), source="mine.toml")
    assert recipe.published == Published(kind=kind, options=options, convert=convert)
    assert recipe.data.window_samples == 12_000


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ('kind = "asvspoof2019"\n', r"no kind 'asvspoof2019'; did you mean 'asvspoof2019-\wa'\?"),
        ("kind = 3\n", "no kind 3. The kinds are: asvspoof2019-la,"),
        ('kind = "esc50"\nby_speaker = true\n', r"'esc50' has no key 'by_speaker'"),
        ('kind = "esc50"\nflod = 1\n', r"'esc50' has no key 'flod'; did you mean 'fold'\?"),
        ('kind = "esc50"\nwindow = 1\n', r"did you mean 'window_samples'\?"),
        ('kind = "esc50"\nfold = "one"\n', r"\[data\] of kind 'esc50', key 'fold': found 'one'"),
        ('kind = "csv"\ndev_share = 1.5\n', "dev_share.* is 1.5, expected a share from 0"),
        ('kind = "csv"\ndev_share = 0.6\neval_share = 0.6\n', "add up to 1.2"),
        ('kind = "esc50"\nconvert = 16000\n', "key 'convert': found 16000"),
        ("convert = true\n", "convert is for a published dataset: name its kind"),
        ("fold = 1\n", r"\[data\] has no key 'fold'.*Its keys are: .*kind"),
    ],
)
def test_what_a_kind_does_not_know_is_refused_by_name(
    written: Callable[..., str], data: str, words: str
) -> None:
    with pytest.raises(RecipeError, match=f"(?s)mine.toml: .*{words}"):
        parse_recipe(written(data), source="mine.toml")


def test_a_run_keeps_the_tables_that_an_import_writes_and_goes_on_with_them(
    written: Callable[..., str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root, out, recipe = TREES["folders"](tmp_path / "pets"), tmp_path / "run", tmp_path / "m.toml"
    recipe.write_text(written(DATA, top=FOLDERS))
    imported = tmp_path / "imported"
    typed = ["corpus", "import", "folders", str(root), "--dev-share", "0.2", "--seed", "3"]
    assert run([*typed, "--out", str(imported)]) == 0
    train = ["train", str(recipe), "--out", str(out), "--threads", "1", "--epochs", "1"]
    assert run([*train, "--corpus", str(root)]) == 0
    for split in ("train", "dev", "eval"):
        assert read_protocol(out / "corpus", split) == read_protocol(imported, split)
    facts = json.loads((out / "run.json").read_text())
    assert (facts["corpus"], facts["left_out"]) == ("pets", {})
    capfd.readouterr()
    assert run([*train, "--corpus", str(root), "--resume", "--json"]) == 0
    again = json.loads(capfd.readouterr().out)
    assert again["corpus_sha256"] == facts["corpus_sha256"]
    assert run([*train, "--corpus", str(imported), "--resume"]) == 2
    err = capfd.readouterr().err
    assert f"{out / 'corpus'} was read from another dataset: its source is {root}" in err


def test_a_tree_that_is_not_of_the_kind_is_refused_by_the_importer_before_anything_is_written(
    written: Callable[..., str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root, recipe = TREES["asvspoof2019-la"](tmp_path / "LA"), tmp_path / "mine.toml"
    recipe.write_text(written('kind = "asvspoof2019-pa"\n'))
    typed = ["train", str(recipe), "--corpus", str(root), "--out", str(tmp_path / "run")]
    assert run(typed) == 2
    err = capfd.readouterr().err
    assert "ASVspoof2019.PA.cm.train.trn.txt is missing" in err
    assert "Expected ASVspoof 2019 PA as published:" in err
    assert not (tmp_path / "run").exists()


class Told:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def reading(self) -> None: ...

    def left_out(self, words: str) -> None:
        self.words.append(words)

    def began(self, epoch: int, *, steps: int) -> None: ...

    def stepped(self, loss: float) -> None: ...

    def ended(self, row: object, *, is_best: bool) -> None: ...


def test_bad_files_are_left_out_only_as_asked_and_told_again_when_a_run_goes_on(
    written: Callable[..., str], tmp_path: Path
) -> None:
    root = TREES["folders"](tmp_path / "pets")
    recipe = parse_recipe(written(DATA, top=FOLDERS), source="mine.toml")
    bad = sorted(root.rglob("*.wav"))[4]
    bad.write_bytes(b"")

    def opened(*, skip_bad: bool) -> tuple[int, dict[str, str], list[str]]:
        told, options = Told(), Options(skip_bad=skip_bad)
        train, dev, left_out = read_corpus(root, recipe, options, told, place=tmp_path / "run")
        return len(train) + len(dev), left_out, told.words

    with pytest.raises(CorpusError, match="1 of 30 files cannot be used"):
        opened(skip_bad=False)
    assert not (tmp_path / "run" / "corpus").exists()
    for _ in range(2):
        count, left_out, (words,) = opened(skip_bad=True)
        assert count == 23
        assert [(file.split(" (")[0], why) for file, why in left_out.items()] == [
            (str(bad), "is empty (0 bytes)")
        ]
        assert words.startswith("left out 1 files")
        assert str(bad) in words


def test_files_of_any_rate_are_converted_for_a_recipe_that_asks(tmp_path: Path) -> None:
    root = TREES["urbansound8k"](tmp_path / "UrbanSound8K")
    wanted = Published(kind="urbansound8k", options={"fold": 10, "dev_fold": 5}, convert=True)
    (tmp_path / "run" / ".corpus.1.partial" / "audio").mkdir(parents=True)
    opened = open_published(wanted, root, run=tmp_path / "run", rate_hz=16_000, skip_bad=False)
    assert opened.folder == tmp_path / "run" / "corpus"
    trials = read_protocol(opened.folder, "eval")
    about = [soundfile.info(trial.path) for trial in trials]
    assert {(one.samplerate, one.channels) for one in about} == {(16_000, 1)}
    assert not list((tmp_path / "run").glob(".*"))
    other = Published(kind="urbansound8k", options={"fold": 1}, convert=True)
    with pytest.raises(UsageError, match=r"its options is .*delete"):
        open_published(other, root, run=tmp_path / "run", rate_hz=16_000, skip_bad=False)


def test_export_finds_the_tables_in_the_run(tmp_path: Path) -> None:
    from earlet_export.corpus import find_corpus

    root = TREES["folders"](tmp_path / "pets")
    wanted = Published(kind="folders", options={})
    opened = open_published(wanted, root, run=tmp_path / "run", rate_hz=8_000, skip_bad=False)
    assert find_corpus("pets", run=tmp_path / "run") == opened.folder


def test_recipes_without_a_kind_are_as_they_were(recipe_text: str) -> None:
    recipe: Recipe = parse_recipe(recipe_text, source="tiny.toml")
    assert recipe.published is None
