"""What is scored: the eval split, whole or drawn fairly, and its pools."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlet.errors import CorpusError, UsageError
from earlet.labelled import draw, read_labelled
from earlet.protocol import Trial


def _trials(counts: dict[str, int]) -> list[Trial]:
    return [
        Trial(
            speaker="S",
            file=f"{system}_{n}",
            system=system,
            key="bonafide" if system == "-" else "spoof",
            path=Path(f"{system}_{n}.flac"),
        )
        for system, count in counts.items()
        for n in range(count)
    ]


@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    extra=st.integers(0, 400),
    seed=st.integers(0, 5),
)
def test_a_draw_has_the_size_asked_for_and_each_stratum_its_share(
    counts: list[int], extra: int, seed: int
) -> None:
    named = {"-" if i == 0 else f"A{i:02}": count for i, count in enumerate(counts)}
    trials = _trials(named)
    limit = len(counts) + extra
    drawn = draw(trials, limit=limit, rng=np.random.default_rng(seed))
    assert len(drawn) == min(limit, len(trials))
    assert len({t.file for t in drawn}) == len(drawn)
    position = {t.file: i for i, t in enumerate(trials)}
    assert [position[t.file] for t in drawn] == sorted(position[t.file] for t in drawn)
    got = Counter(t.system for t in drawn)
    for system, count in named.items():
        share = count * len(drawn) / len(trials)
        assert 1 <= got[system] <= count
        assert abs(got[system] - share) <= 2 + len(named) * count / len(trials)


def test_the_same_seed_draws_the_same_and_another_seed_another() -> None:
    trials = _trials({"-": 50, "A01": 50})
    one, again, other = (
        [t.file for t in draw(trials, limit=20, rng=np.random.default_rng(seed))]
        for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other


def test_a_limit_below_the_number_of_strata_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--limit 2 is too small.*--limit 3"):
        draw(_trials({"-": 5, "A01": 5, "A02": 5}), limit=2, rng=np.random.default_rng(0))


def test_pools_are_split_by_what_training_saw_and_by_how_it_was_made(tone_corpus: Path) -> None:
    labelled = read_labelled(tone_corpus, limit=None, seed=0)
    assert labelled.name == "tiny"
    assert labelled.seed is None, "nothing was drawn"
    assert labelled.pools() == {
        "known": {"A01"},
        "unknown": {"A08"},
        "pooled": {"A01", "A08"},
        "tts": {"A01"},
        "conversion": {"A08"},
    }


def test_a_missing_recording_is_named_before_anything_is_scored(
    tone_corpus: Path, tmp_path: Path
) -> None:

    copy = Path(shutil.copytree(tone_corpus, tmp_path / "copy"))
    gone = copy / "tiny_eval" / "flac" / "eval_S1_A01_0.flac"
    gone.unlink()
    with pytest.raises(CorpusError, match=r"does not hold, the first is .*eval_S1_A01_0\.flac"):
        read_labelled(copy, limit=None, seed=0)


def test_a_corpus_of_another_rate_is_refused_before_anything_is_measured(tone_corpus: Path) -> None:
    labelled = read_labelled(tone_corpus, limit=None, seed=0)
    labelled.check_rate(8_000)
    with pytest.raises(CorpusError, match="expected 16000 Hz"):
        labelled.check_rate(16_000)


def test_a_tree_without_a_train_split_does_not_claim_which_attacks_are_known(
    tone_corpus: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(tone_corpus, tmp_path / "copy"))
    next(copy.glob("*_cm_protocols/*.cm.train.trn.txt")).unlink()
    pools = read_labelled(copy, limit=None, seed=0).pools()
    assert "known" not in pools
    assert "unknown" not in pools
    assert pools["pooled"] == {"A01", "A08"}
