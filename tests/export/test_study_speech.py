"""The part of a corpus that a study of spoofed speech takes, and what it refuses."""

from pathlib import Path

import pytest

from earlet.errors import CorpusError
from earlet.protocol import Trial, read_protocol
from earlet.table import write_table
from earlet_export.studies.options import Size
from earlet_export.studies.speech import in_words, speech_part


def counts(corpus: Path, split: str) -> dict[str, int]:
    keys = [trial.key for trial in read_protocol(corpus, split)]
    return {key: keys.count(key) for key in sorted(set(keys))}


def test_half_of_what_is_taken_is_bona_fide(spoofing: Path, tmp_path: Path) -> None:
    taken, cuts = speech_part(spoofing, tmp_path, size=Size(), train=16, dev=10, evaluation=30)
    assert counts(taken, "train") == {"bonafide": 8, "spoof": 8}
    assert counts(taken, "dev") == {"bonafide": 5, "spoof": 5}
    assert counts(taken, "eval") == {"bonafide": 15, "spoof": 15}
    attacks = [t.system for t in read_protocol(taken, "eval") if t.is_spoof]
    assert {a: attacks.count(a) for a in set(attacks)} == {"A01": 5, "A02": 5, "A03": 5}
    assert cuts == (
        "recordings: 16 of 32 in train, 10 of 40 in dev, 30 of 100 in eval, half of them bona "
        "fide.",
    )


def test_dev_and_eval_give_what_they_have_and_train_must_have_it(
    spoofing: Path, tmp_path: Path
) -> None:
    taken, _ = speech_part(spoofing, tmp_path, size=Size(), train=32, dev=900, evaluation=900)
    assert counts(taken, "dev") == counts(spoofing, "dev")
    assert counts(taken, "eval") == counts(spoofing, "eval")
    with pytest.raises(CorpusError, match=r"has 16 recordings labelled 'bonafide'.*--clips"):
        speech_part(spoofing, tmp_path, size=Size(clips=40), train=8, dev=8, evaluation=8)


def test_a_full_study_takes_the_corpus_itself(spoofing: Path, tmp_path: Path) -> None:
    found = speech_part(spoofing, tmp_path, size=Size(full=True), train=8, dev=8, evaluation=8)
    assert found == (spoofing, ())


def test_a_full_study_of_fewer_clips_judges_everything(spoofing: Path, tmp_path: Path) -> None:
    size = Size(full=True, clips=8)
    taken, _ = speech_part(spoofing, tmp_path, size=size, train=30, dev=8, evaluation=8)
    assert counts(taken, "train") == {"bonafide": 4, "spoof": 4}
    assert counts(taken, "eval") == counts(spoofing, "eval")


def test_a_corpus_of_other_labels_is_refused(spoofing: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "corpus.json").write_text("{}")
    for split in ("train", "dev", "eval"):
        trial = Trial(speaker="-", file="a", system="-", key="flute", path=Path("a.flac"))
        with (other / f"{split}.tsv").open("w", newline="") as stream:
            write_table(stream, [trial])
    with pytest.raises(CorpusError, match="neither 'bonafide' nor 'spoof'"):
        speech_part(other, tmp_path, size=Size(), train=8, dev=8, evaluation=8)


def test_the_page_says_which_attacks_are_unknown(spoofing: Path, tmp_path: Path) -> None:
    taken, _ = speech_part(spoofing, tmp_path, size=Size(), train=16, dev=10, evaluation=30)
    words = in_words(taken, of=spoofing)
    assert "a part of voices" in words
    assert "(known): A01, A02" in words
    assert "(unknown): A03" in words
