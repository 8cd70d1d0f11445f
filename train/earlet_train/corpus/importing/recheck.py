"""Holds a corpus of tables to its promises: every file decoded, nothing in two splits, no gaps."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from hashlib import file_digest
from itertools import combinations
from pathlib import Path

from earlet.bad_recordings import Heard
from earlet.errors import CorpusError
from earlet.protocol import read_protocol, splits
from earlet.trial import Trial
from earlet_train.corpus.check import CheckReport, Finding
from earlet_train.corpus.importing.examine import Wanted, examine

NAMED_AT_MOST = 3
Splits = Mapping[str, Sequence[Trial]]


def check_imported(
    root: Path, *, on_stage: Callable[[str, int, int], None] | None = None
) -> CheckReport:
    """Decode every file of an imported corpus and judge the whole. Raises CorpusError.

    `by_system` of the report tells each label's files and hours, `by_language` nothing.
    """
    tell = on_stage or (lambda title, done, total: None)
    trials = {split: read_protocol(root, split) for split in splits(root)}
    if not trials:
        raise CorpusError(f"{root} holds no table; import a dataset with: earlet corpus import")
    everything = [trial for own in trials.values() for trial in own]
    heard = dict(
        zip(
            [trial.path for trial in everything],
            examine(
                [trial.path for trial in everything],
                Wanted(rate_hz=None, one_rate=True, mono=True, decode=True),
                on_file=lambda done: tell("decoding", done, len(everything)),
            ),
            strict=True,
        )
    )
    findings = [
        _sound(everything, heard),
        _once(trials),
        _unheard_before(trials, heard),
        _apart(trials),
        _complete(trials),
    ]
    return CheckReport(
        passed=all(finding.passed for finding in findings),
        findings=findings,
        by_system={split: _hours(own, heard) for split, own in trials.items()},
        by_language={},
    )


def _sound(trials: Sequence[Trial], heard: Mapping[Path, Heard]) -> Finding:
    bad = [f"{t.path} {heard[t.path].fault}" for t in trials if heard[t.path].fault]
    rates = sorted({one.rate_hz for one in heard.values() if not one.fault})
    good = f"{len(trials)} files decode, mono, {' and '.join(map(str, rates))} Hz"
    return _finding("files are sound, of one rate", bad, good)


def _once(trials: Splits) -> Finding:
    counts = Counter(trial.file for own in trials.values() for trial in own)
    twice = [file for file, count in counts.items() if count > 1]
    return _finding("every id is in one split", twice, f"{len(counts)} ids")


def _unheard_before(trials: Splits, heard: Mapping[Path, Heard]) -> Finding:
    """The same bytes in two splits: a test on what was trained on."""
    found: dict[str, dict[str, Path]] = defaultdict(dict)
    for split, own in trials.items():
        for trial in own:
            if not heard[trial.path].fault:
                with trial.path.open("rb") as stream:
                    digest = file_digest(stream, "sha256").hexdigest()
                found[digest].setdefault(split, trial.path)
    shared = [" = ".join(map(str, own.values())) for own in found.values() if len(own) > 1]
    return _finding("no file is in two splits under two names", shared, f"{len(found)} contents")


def _apart(trials: Splits) -> Finding:
    """Whoever is heard in training is heard in no other split; `-` is nobody."""
    speakers = {
        split: {trial.speaker for trial in own} - {"-"}
        for split, own in trials.items()
        if split in ("train", "dev", "eval")
    }
    shared = [
        f"{speaker} in {one} and {other}"
        for one, other in combinations(speakers, 2)
        for speaker in sorted(speakers[one] & speakers[other])
    ]
    told = ", ".join(f"{len(own)} in {split}" for split, own in speakers.items())
    return _finding("speakers (places, instruments, ...) are apart", shared, told or "none named")


def _complete(trials: Splits) -> Finding:
    labels = {split: {trial.key for trial in own} for split, own in trials.items()}
    every = set().union(*labels.values())
    absent = [
        f"{split} has no {', '.join(sorted(every - own))}"
        for split, own in labels.items()
        if every - own
    ]
    return _finding("every label is in every split", absent, f"{len(every)} labels")


def _finding(check: str, wrong: Sequence[str], good: str) -> Finding:
    more = f" and {len(wrong) - NAMED_AT_MOST} more" if len(wrong) > NAMED_AT_MOST else ""
    found = "; ".join(wrong[:NAMED_AT_MOST]) + more if wrong else good
    return Finding(check=check, passed=not wrong, found=found)


def _hours(trials: Sequence[Trial], heard: Mapping[Path, Heard]) -> dict[str, tuple[int, float]]:
    """Label -> (files, hours)."""
    files: Counter[str] = Counter(trial.key for trial in trials)
    seconds: dict[str, float] = defaultdict(float)
    for trial in trials:
        one = heard[trial.path]
        seconds[trial.key] += one.frames / one.rate_hz if one.rate_hz else 0.0
    return {label: (files[label], seconds[label] / 3600) for label in sorted(files)}
