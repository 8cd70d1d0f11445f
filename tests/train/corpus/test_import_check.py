"""An imported corpus is checked whole: what is read, and what is in two splits."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from published.trees import LA_2019, TREES, asvspoof2019, sound

from earlet.cli import run
from earlet.labelled import read_labelled
from earlet_train.dataset import corpus_hash, load_split
from earlet_train.recipe import parse_recipe

ROWS = """\
path,label,split,speaker,id
a.wav,cat,train,tom,one
b.wav,dog,train,rex,two
c.wav,cat,eval,felix,three
d.wav,dog,eval,lassie,four
"""


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    """The table of four recordings, sound."""
    (tmp_path / "in").mkdir()
    for name in "abcd":
        sound(tmp_path / "in" / f"{name}.wav", rate_hz=16_000)
    file = tmp_path / "in" / "animals.csv"
    file.write_text(ROWS)
    return file


def checked(
    file: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[int, dict[str, str]]:
    """Exit code, and what was found by each check that failed."""
    assert run(["corpus", "import", "csv", str(file), "--out", str(out)]) == 0
    capsys.readouterr()
    code = run(["corpus", "check", str(out), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["passed"] == (code == 0)
    return code, {f["check"]: f["found"] for f in report["findings"] if not f["passed"]}


def test_a_sound_corpus_passes(
    animals: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checked(animals, tmp_path / "out", capsys) == (0, {})
    assert run(["corpus", "check", str(tmp_path / "out")]) == 0
    assert "4 files decode, mono, 16000 Hz" in capsys.readouterr().out


def edit(old: str, new: str) -> Callable[[Path], object]:
    return lambda file: file.write_text(file.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("spoil", "check", "found"),
    [
        (
            lambda file: shutil.copy(file.parent / "a.wav", file.parent / "d.wav"),
            "no file is in two splits under two names",
            "a.wav = ",
        ),
        (edit("felix", "tom"), "speakers (places, instruments, ...) are apart", "tom in train"),
        (edit("dog,eval", "cat,eval"), "every label is in every split", "eval has no dog"),
    ],
)
def test_what_would_spoil_a_test_is_found(
    spoil: Callable[[Path], object],
    check: str,
    found: str,
    animals: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(animals)
    code, failed = checked(animals, tmp_path / "out", capsys)
    assert (code, list(failed)) == (1, [check])
    assert found in failed[check]


def test_a_file_lost_or_cut_after_the_import_is_found(
    animals: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["corpus", "import", "csv", str(animals), "--out", str(tmp_path / "out")]) == 0
    (animals.parent / "c.wav").unlink()
    assert run(["corpus", "check", str(tmp_path / "out"), "--json"]) == 1
    (fault,) = (
        f
        for f in json.loads(capsys.readouterr().out.splitlines()[-1])["findings"]
        if not f["passed"]
    )
    assert "c.wav is missing" in fault["found"]


def test_training_hears_the_same_in_a_tree_and_in_its_tables(
    tmp_path: Path, recipe_text: str
) -> None:
    torch.set_num_threads(1)
    recipe = parse_recipe(recipe_text, source="tiny.toml")
    root, out = asvspoof2019(tmp_path / "LA", "LA", LA_2019), tmp_path / "out"
    for file in root.rglob("*.flac"):
        sound(file, rate_hz=16_000, seconds=0.5)
    assert run(["corpus", "import", "asvspoof2019-la", str(root), "--out", str(out)]) == 0
    for split in ("train", "dev"):
        ours, theirs = (load_split(place, split, recipe=recipe) for place in (out, root))
        assert corpus_hash(ours) == corpus_hash(theirs)
        for one, other in zip(ours.samples, theirs.samples, strict=True):
            assert (one == other).all()
    labelled = read_labelled(out, limit=None, seed=0)
    assert [t.file for t in labelled.trials] == [
        t.file for t in read_labelled(root, limit=None, seed=0).trials
    ]


def test_other_labels_than_speech_s_are_loaded_by_a_recipe_that_names_them(
    tmp_path: Path, recipe_text: str
) -> None:
    recipe = parse_recipe(
        'labels = ["bass", "guitar"]\npositive = "guitar"\n' + recipe_text, source="notes.toml"
    )
    root, out = TREES["nsynth"](tmp_path / "in"), tmp_path / "out"
    for file in root.rglob("*.wav"):
        sound(file, rate_hz=16_000, seconds=0.5)
    assert run(["corpus", "import", "nsynth", str(root), "--out", str(out)]) == 0
    assert [t.key for t in load_split(out, "train", recipe=recipe).trials] == [
        *("bass", "bass", "guitar"),
    ]
