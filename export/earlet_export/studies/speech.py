"""The corpus of genuine and spoofed speech that a study is asked about: checked, and cut to fit."""

from pathlib import Path

from earlet.labelled import read_labelled
from earlet.protocol import KEYS, Trial, read_protocol
from earlet.trial import SPLITS
from earlet_export.studies.options import Size
from earlet_export.studies.part import Amount, part

BONA_FIDE, SPOOF = KEYS


def check_speech(corpus: Path) -> None:
    """Raises CorpusError where a split lacks one of the two labels, or has others."""
    for split in SPLITS:
        read_labelled(corpus, limit=None, seed=0, split=split).check_spoof_labels()


def speech_part(
    corpus: Path, out: Path, *, size: Size, train: int, dev: int, evaluation: int
) -> tuple[Path, tuple[str, ...]]:
    """The numbers of recordings that fit -> the corpus to take, and in words what was left out.

    Half of them bona fide, spoofed ones as even over attacks as they come. Train must have them,
    dev and eval give at most so many. Nothing is left out where the size is full, but for its
    `clips`. Raises CorpusError.
    """
    check_speech(corpus)
    wanted = {
        "train": size.clips or (None if size.full else train),
        "dev": None if size.full else dev,
        "eval": None if size.full else evaluation,
    }
    if set(wanted.values()) == {None}:
        return corpus, ()
    trials = {split: read_protocol(corpus, split) for split in SPLITS}
    taken = part(
        corpus,
        out / f"part-of-{corpus.resolve().name}",
        train=_halves(wanted["train"]),
        dev=_at_most(trials["dev"], _halves(wanted["dev"])),
        evaluation=_at_most(trials["eval"], _halves(wanted["eval"])),
    )
    shares = [
        f"{len(read_protocol(taken, split)):,} of {len(trials[split]):,} in {split}"
        for split in SPLITS
    ]
    return taken, (f"recordings: {', '.join(shares)}, half of them bona fide.",)


def in_words(corpus: Path, *, of: Path) -> str:
    """What a page says of the corpus that was taken, and of which attacks it holds."""
    pools = read_labelled(corpus, limit=None, seed=0, split="eval").pools()
    known, unknown = (", ".join(sorted(pools.get(name, ()))) for name in ("known", "unknown"))
    words = "genuine and spoofed speech" + ("" if corpus == of else f", a part of {of.name}")
    words += f"; attacks of eval that train has too (known): {known or 'none'}"
    return f"{words}; that it has not (unknown): {unknown or 'none'}."


def _halves(recordings: int | None) -> dict[str, int] | None:
    if recordings is None:
        return None
    return {BONA_FIDE: recordings // 2, SPOOF: recordings - recordings // 2}


def _at_most(trials: list[Trial], wanted: dict[str, int] | None) -> Amount:
    if wanted is None:
        return None
    keys = [trial.key for trial in trials]
    return {key: min(count, keys.count(key)) for key, count in wanted.items()}
