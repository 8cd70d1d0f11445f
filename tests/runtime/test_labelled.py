"""What is scored: the eval split, whole or drawn fairly, and its pools."""

import dataclasses
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlet.bad_recordings import Need
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


def test_recordings_that_cannot_be_used_are_named_all_at_once_or_left_out_as_asked(
    tone_corpus: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(tone_corpus, tmp_path / "copy"))
    audio = copy / "tiny_eval" / "flac"
    (audio / "eval_S1_A01_0.flac").unlink()
    (audio / "eval_S2_human_1.flac").write_bytes(b"")
    labelled, need = read_labelled(copy, limit=None, seed=0), Need(sample_rate_hz=8_000)
    with pytest.raises(CorpusError, match="2 of 36 recordings cannot be used") as caught:
        labelled.usable(need)
    assert "eval_S1_A01_0.flac is missing" in str(caught.value)
    assert "eval_S2_human_1.flac is empty (0 bytes)" in str(caught.value)
    usable = labelled.usable(need, need, skip_bad=True)
    assert (len(usable.trials), len(usable.left_out), usable.listed) == (34, 2, 36)


def test_what_any_of_several_detectors_cannot_judge_is_left_out_for_all(tone_corpus: Path) -> None:
    labelled = read_labelled(tone_corpus, limit=None, seed=0)
    assert labelled.usable(Need(sample_rate_hz=8_000)) == labelled
    long = Need(sample_rate_hz=8_000, least_samples=10_000)
    assert not labelled.usable(Need(sample_rate_hz=8_000), long, skip_bad=True).trials
    with pytest.raises(CorpusError, match=r"(?s)36 of 36 .*has 8000 Hz, expected 16000 Hz"):
        labelled.usable(Need(sample_rate_hz=16_000))


def test_labels_that_give_no_error_rate_are_refused(tone_corpus: Path) -> None:
    labelled = read_labelled(tone_corpus, limit=None, seed=0)
    labelled.check_spoof_labels()
    human = dataclasses.replace(labelled, trials=[t for t in labelled.trials if not t.is_spoof])
    with pytest.raises(CorpusError, match="holds 12 bona fide and 0 spoofed trials"):
        human.check_spoof_labels()
    dogs = [dataclasses.replace(t, key="dog", system="-") for t in labelled.trials]
    with pytest.raises(CorpusError, match=r"36 of 36 trials .*'dog'.* earlet evaluate"):
        dataclasses.replace(labelled, trials=dogs).check_spoof_labels()


def test_a_tree_without_a_train_split_does_not_claim_which_attacks_are_known(
    tone_corpus: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(tone_corpus, tmp_path / "copy"))
    next(copy.glob("*_cm_protocols/*.cm.train.trn.txt")).unlink()
    pools = read_labelled(copy, limit=None, seed=0).pools()
    assert "known" not in pools
    assert "unknown" not in pools
    assert pools["pooled"] == {"A01", "A08"}
