"""The speaker verifier's files in every published form, and pickles that are up to something."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earlet.errors import UsageError
from earlet_bench.evaluation.asv_scores import read_verifier
from earlet_bench.evaluation.tandem import (
    Coefficients,
    asv_rates,
    legacy_coefficients,
    revised_coefficients,
)

RNG = np.random.default_rng(6)
TARGET, NONTARGET = RNG.normal(3, 1, 30).round(6), RNG.normal(0, 1, 40).round(6)
ATTACKS = {"A07": RNG.normal(2, 1, 20).round(6), "A08": RNG.normal(0.5, 1, 25).round(6)}


@pytest.fixture
def of_2019(tmp_path: Path) -> Path:
    """SOURCE KEY SCORE."""
    rows = [f"bonafide target {s}" for s in TARGET]
    rows += [f"bonafide nontarget {s}" for s in NONTARGET]
    rows += [f"{attack} spoof {s}" for attack, own in ATTACKS.items() for s in own]
    file = tmp_path / "ASVspoof2019.LA.asv.eval.gi.trl.scores.txt"
    file.write_text("\n".join(rows) + "\n")
    return file


@pytest.fixture
def of_2021(tmp_path: Path) -> tuple[Path, Path]:
    """(scores, metadata): codecs in turn; the subset `progress` has scores that would spoil it."""
    about: list[str] = []
    scored: list[str] = []

    def add(key: str, attack: str, score: float, subset: str = "eval") -> None:
        number = len(about)
        codec, way = (("none", "-"), ("alaw", "ita_tx"))[number % 2]
        trial = f"LA_E_{number:07}-{codec}-{way}"
        about.append(f"LA_0009 {trial} {codec} {way} {attack} {key} notrim {subset}")
        scored.append(f"LA_0009 {trial} {score}")

    for score in TARGET:
        add("target", "bonafide", score)
    for score in NONTARGET:
        add("nontarget", "bonafide", score)
    for attack, own in ATTACKS.items():
        for score in own:
            add("spoof", attack, score)
    for key in ("target", "nontarget", "spoof"):
        add(key, "A07" if key == "spoof" else "bonafide", 50.0, "progress")
    (tmp_path / "trial_metadata.txt").write_text("\n".join(about) + "\n")
    (tmp_path / "score.txt").write_text("\n".join(scored) + "\n")
    return tmp_path / "score.txt", tmp_path / "trial_metadata.txt"


def test_scores_of_2019_give_both_costs_pooled_and_for_each_attack(of_2019: Path) -> None:
    verifier = read_verifier(of_2019)
    everything = asv_rates(TARGET, NONTARGET, np.concatenate([*ATTACKS.values()]))
    assert verifier.legacy() == legacy_coefficients(everything)
    assert verifier.revised() == revised_coefficients(everything)
    only = asv_rates(TARGET, NONTARGET, ATTACKS["A08"])
    assert verifier.legacy(attack="A08") == legacy_coefficients(only)
    assert only != everything
    assert verifier.legacy(attack="A19") is None
    assert verifier.legacy(codec="alaw") is None, "it does not tell codecs"


def test_scores_of_2021_are_cut_by_subset_attack_and_codec(of_2021: tuple[Path, Path]) -> None:
    scores, metadata = of_2021
    verifier = read_verifier(scores, metadata=metadata, subset="eval")
    everything = asv_rates(TARGET, NONTARGET, np.concatenate([*ATTACKS.values()]))
    assert verifier.revised() == revised_coefficients(everything)
    # Rows alternate: targets 0..29, nontargets 30..69, A07 70..89.
    some = asv_rates(TARGET[1::2], NONTARGET[1::2], ATTACKS["A07"][1::2])
    assert verifier.revised(attack="A07", codec="alaw") == revised_coefficients(some)
    whole = read_verifier(scores, metadata=metadata)
    assert whole.revised() != verifier.revised()


@pytest.mark.parametrize("how", ["dumped", "saved"])
def test_shipped_coefficients_are_read_as_numpy_pickles_them(tmp_path: Path, how: str) -> None:
    number: Callable[[float], Any] = np.float64
    table = {
        "A07": {"none": {"C0": number(0.1), "C1": 0.8, "C2": number(0.2)}},
        "Pooled": {
            "Pooled": {"C0": number(0.12), "C1": number(0.82), "C2": number(0.3)},
            "gsm": {"C0": np.nan, "C1": np.nan, "C2": np.nan},
        },
    }
    file = tmp_path / "LA-C012-eval.npy"
    array = np.array(table)
    if how == "dumped":
        array.dump(file)
    else:
        np.save(file, array, allow_pickle=True)
    verifier = read_verifier(file)
    assert verifier.revised() == Coefficients(c0=0.12, c1=0.82, c2=0.3)
    assert verifier.revised(attack="A07", codec="none") == Coefficients(c0=0.1, c1=0.8, c2=0.2)
    assert verifier.revised(codec="gsm") is None, "the challenge left it out"
    assert verifier.legacy() is None, "2019 cannot be made of them"


class _Mischief:
    """Makes a folder when it is unpickled by whoever trusts it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_a_pickle_that_calls_something_is_refused_and_calls_nothing(tmp_path: Path) -> None:
    file, made = tmp_path / "evil.npy", tmp_path / "made"
    np.array({"Pooled": {"Pooled": _Mischief(made)}}).dump(file)
    with pytest.raises(UsageError, match=r"asks for posix\.mkdir"):
        read_verifier(file)
    assert not made.exists()


@pytest.mark.parametrize("content", [b"", b"nonsense", pickle.dumps([1, 2])])
def test_what_is_no_table_of_coefficients_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "C012.npy"
    file.write_bytes(content)
    with pytest.raises(UsageError, match="no table of C012 coefficients"):
        read_verifier(file)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("A07 spoof", r"row 3: found 2 columns, expected 3: SOURCE KEY SCORE"),
        ("A07 fake 1.0", "row 3: key 'fake' is none of target, nontarget, spoof"),
        ("A07 spoof high", "row 3: 'high' is not a number"),
        ("A07 spoof nan", "row 3: the score nan is not finite"),
    ],
)
def test_a_row_that_does_not_fit_is_named(tmp_path: Path, row: str, expected: str) -> None:
    file = tmp_path / "asv.txt"
    file.write_text(f"bonafide target 2.0\nbonafide nontarget 0.0\n{row}\n")
    with pytest.raises(UsageError, match=expected):
        read_verifier(file)


def test_scores_and_metadata_of_different_verifiers_are_refused(
    of_2021: tuple[Path, Path],
) -> None:
    scores, metadata = of_2021
    rows = scores.read_text().splitlines()
    scores.write_text("\n".join([rows[1], rows[0], *rows[2:]]) + "\n")
    with pytest.raises(UsageError, match=r"row 1: .*score.txt scores the trial 'LA_E_0000001"):
        read_verifier(scores, metadata=metadata)
    scores.write_text("\n".join(rows[:-1]) + "\n")
    with pytest.raises(UsageError, match=r"117 rows and .* 118: they go together"):
        read_verifier(scores, metadata=metadata)


def test_a_subset_that_is_not_there_is_refused_with_those_that_are(
    of_2021: tuple[Path, Path],
) -> None:
    scores, metadata = of_2021
    with pytest.raises(UsageError, match="subset 'hidden'; it has eval, progress"):
        read_verifier(scores, metadata=metadata, subset="hidden")
