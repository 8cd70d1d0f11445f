"""Holds a corpus to its promises: every file sound, splits apart, no shortcut to the label."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from earlet.errors import CorpusError
from earlet.protocol import SPLITS, Trial, missing_files, read_protocol
from earlet_train.corpus.gate import Gate, edge_features, shortcut_gate
from earlet_train.corpus.inventory import Inventory, read_inventory, read_metadata
from earlet_train.corpus.make import Row
from earlet_train.corpus.pool import worker_pool

SAMPLE_RATE_HZ = 16_000
CHUNK = 64


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One promise, whether it is kept, and what was found."""

    check: str
    passed: bool
    found: str


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """Everything that `earlet corpus check` tells.

    `by_system`, `by_language`: split -> name -> (files, hours).
    """

    passed: bool
    findings: list[Finding]
    by_system: dict[str, dict[str, tuple[int, float]]]
    by_language: dict[str, dict[str, tuple[int, float]]]


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One file as decoded. `fault` is empty for a sound file."""

    duration_s: float
    features: tuple[float, ...]
    sha256: str
    audio: str
    fault: str


def check_corpus(
    root: Path, *, jobs: int, on_stage: Callable[[str, int, int], None] | None = None
) -> CheckReport:
    """Read and judge the whole tree. Raises CorpusError where files are missing.

    A tree without metadata (ASVspoof 2019 as published) is judged by what its protocols tell.
    """
    trials = {split: read_protocol(root, split) for split in SPLITS}
    _refuse_missing(root, [t for own in trials.values() for t in own])
    inventory = read_inventory(root)
    rows = {split: read_metadata(root, split) for split in SPLITS}
    heard = _hear_all(trials, jobs=jobs, on_stage=on_stage)
    findings = [
        _files_are_sound(trials, rows, heard),
        _audio_is_unique(trials, heard),
        *_voices_are_apart(trials, inventory),
        _attacks_are_in_place(trials, inventory),
        *_sentences_are_apart(rows),
        *_gate_findings(trials, heard),
    ]
    return CheckReport(
        passed=all(f.passed for f in findings),
        findings=findings,
        by_system=_tally(trials, heard, name=lambda trial: trial.system),
        by_language=(_tally(trials, heard, name=_language_in(rows)) if any(rows.values()) else {}),
    )


def hear_files(paths: Sequence[Path]) -> list[Heard]:
    """What one worker does: decode, measure, hash."""
    return [_hear(path) for path in paths]


def _hear(path: Path) -> Heard:
    import numpy as np
    import soundfile

    stored = path.read_bytes()
    digest = hashlib.sha256(stored).hexdigest()
    faulty = Heard(duration_s=0.0, features=(), sha256=digest, audio=digest, fault="")
    try:
        waveform, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        return _faulty(faulty, f"cannot be decoded ({error})")
    if rate_hz != SAMPLE_RATE_HZ or waveform.shape[1] != 1:
        return _faulty(faulty, f"has {rate_hz} Hz and {waveform.shape[1]} channels")
    mono = waveform[:, 0]
    if not np.isfinite(mono).all():
        return _faulty(faulty, "holds numbers that are not finite")
    if not np.abs(mono).max(initial=0.0) > 0:
        return _faulty(faulty, "is silent")
    return Heard(
        duration_s=len(mono) / rate_hz,
        features=edge_features(mono),
        sha256=digest,
        audio=hashlib.sha256(mono.tobytes()).hexdigest(),
        fault="",
    )


def _faulty(blank: Heard, fault: str) -> Heard:
    return Heard(duration_s=0.0, features=(), sha256=blank.sha256, audio=blank.audio, fault=fault)


def _refuse_missing(root: Path, trials: list[Trial]) -> None:
    missing = missing_files(trials)
    if missing:
        first = ", ".join(path.name for path in missing[:3])
        raise CorpusError(
            f"{len(missing)} of {len(trials)} files that the protocols list are not in {root} "
            f"(first: {first}). Run the same earlet corpus build again, which makes what is "
            "missing, or unpack it again."
        )


def _hear_all(
    trials: Mapping[str, Sequence[Trial]],
    *,
    jobs: int,
    on_stage: Callable[[str, int, int], None] | None,
) -> dict[Path, Heard]:
    paths = [t.path for own in trials.values() for t in own]
    chunks = [paths[i : i + CHUNK] for i in range(0, len(paths), CHUNK)]
    heard: dict[Path, Heard] = {}
    with worker_pool(jobs) as pool:
        for chunk, results in zip(chunks, pool.map(hear_files, chunks), strict=True):
            heard.update(zip(chunk, results, strict=True))
            if on_stage:
                on_stage("listening", len(heard), len(paths))
    return heard


def _files_are_sound(
    trials: Mapping[str, Sequence[Trial]],
    rows: Mapping[str, Mapping[str, Row]],
    heard: Mapping[Path, Heard],
) -> Finding:
    faults = []
    for split, own in trials.items():
        for trial in own:
            one, row = heard[trial.path], rows[split].get(trial.file)
            if one.fault:
                faults.append(f"{trial.file} {one.fault}")
            elif row is not None and row.sha256 != one.sha256:
                faults.append(f"{trial.file} differs from its sha256")
            elif row is None and rows[split]:
                faults.append(f"{trial.file} is not in the metadata")
    count = len(heard)
    found = f"{count} files, 16 kHz mono" if not faults else _some(faults, of=count)
    return Finding(check="every file decodes and is unchanged", passed=not faults, found=found)


def _audio_is_unique(trials: Mapping[str, Sequence[Trial]], heard: Mapping[Path, Heard]) -> Finding:
    first: dict[str, str] = {}
    twins = []
    for own in trials.values():
        for trial in own:
            other = first.setdefault(heard[trial.path].audio, trial.file)
            if other != trial.file:
                twins.append(f"{trial.file} = {other}")
    return Finding(
        check="no sound occurs twice",
        passed=not twins,
        found=_some(twins, of=len(heard)) if twins else f"{len(first)} different sounds",
    )


def _voices_are_apart(
    trials: Mapping[str, Sequence[Trial]], inventory: Inventory | None
) -> list[Finding]:
    """People never cross. A synthetic voice may be in train and dev, but not there and in eval."""
    systems = {} if inventory is None else inventory.systems
    readers = {name for name, system in systems.items() if system.get("method") == "tts"}
    people = {s: {t.speaker for t in own if t.system not in readers} for s, own in trials.items()}
    voices = {s: {t.speaker for t in own if t.system in readers} for s, own in trials.items()}
    crossing = _crossing(people)
    findings = [
        Finding(
            check="people are in one split each",
            passed=not crossing,
            found=(
                _some(crossing, of=None)
                if crossing
                else ", ".join(f"{split} {len(own)}" for split, own in people.items())
            ),
        )
    ]
    if readers:
        heard_before = sorted(voices["eval"] & (voices["train"] | voices["dev"]))
        counts = ", ".join(f"{split} {len(own)}" for split, own in voices.items())
        shared = len(voices["train"] & voices["dev"])
        findings.append(
            Finding(
                check="synthetic voices of eval are in no other split",
                passed=not heard_before,
                found=(
                    _some(heard_before, of=None)
                    if heard_before
                    else f"{counts}; train and dev share {shared}"
                ),
            )
        )
    return findings


def _attacks_are_in_place(
    trials: Mapping[str, Sequence[Trial]], inventory: Inventory | None
) -> Finding:
    found = {s: {t.system for t in own if t.is_spoof} for s, own in trials.items()}
    unknown = sorted(found["eval"] - found["train"])
    wrong = []
    if inventory is not None:
        for split, systems in found.items():
            for system in sorted(systems):
                allowed = inventory.systems.get(system, {}).get("splits", [])
                if not isinstance(allowed, list) or split not in allowed:
                    wrong.append(f"{system} in {split}")
    if not unknown:
        wrong.append("eval has no attack that train lacks")
    return Finding(
        check="every attack is in its splits",
        passed=not wrong,
        found="; ".join(wrong) if wrong else f"unknown in eval: {', '.join(unknown)}",
    )


def _sentences_are_apart(rows: Mapping[str, Mapping[str, Row]]) -> list[Finding]:
    if not any(rows.values()):
        return []
    sentences = {s: {row.sentence for row in own.values()} for s, own in rows.items()}
    crossing = _crossing(sentences)
    counts = ", ".join(f"{split} {len(own)}" for split, own in sentences.items())
    return [
        Finding(
            check="sentences are in one split each",
            passed=not crossing,
            found=_some(crossing, of=None) if crossing else counts,
        )
    ]


def _gate_findings(
    trials: Mapping[str, Sequence[Trial]], heard: Mapping[Path, Heard]
) -> list[Finding]:
    data = {
        split: [
            (heard[t.path].features, t.is_spoof) for t in trials[split] if heard[t.path].features
        ]
        for split in ("train", "eval")
    }
    for split, own in data.items():
        if len({is_spoof for _, is_spoof in own}) != 2:
            return [
                Finding(
                    check="no shortcut", passed=False, found=f"{split} does not hold both classes"
                )
            ]
    return [_gate_finding(gate) for gate in shortcut_gate(train=data["train"], eval_=data["eval"])]


def _gate_finding(gate: Gate) -> Finding:
    return Finding(
        check=f"level, DC, duration and edges tell nothing ({gate.classifier})",
        passed=gate.low <= gate.eer <= gate.high,
        found=(
            f"eval EER {100 * gate.eer:.1f} %, expected {100 * gate.low:.0f} to "
            f"{100 * gate.high:.0f} %{' (a wide band: few files)' if gate.is_wide else ''}"
        ),
    )


def _tally(
    trials: Mapping[str, Sequence[Trial]],
    heard: Mapping[Path, Heard],
    *,
    name: Callable[[Trial], str],
) -> dict[str, dict[str, tuple[int, float]]]:
    tally: dict[str, dict[str, tuple[int, float]]] = {}
    for split, own in trials.items():
        durations: dict[str, list[float]] = defaultdict(list)
        for trial in own:
            durations[name(trial)].append(heard[trial.path].duration_s)
        tally[split] = {k: (len(v), sum(v) / 3600) for k, v in sorted(durations.items())}
    return tally


def _language_in(rows: Mapping[str, Mapping[str, Row]]) -> Callable[[Trial], str]:
    languages = {file: row.language for own in rows.values() for file, row in own.items()}
    return lambda trial: f"{languages.get(trial.file, '?')} {trial.key}"


def _crossing(sets: Mapping[str, Iterable[str]]) -> list[str]:
    """Names that are in more than one split."""
    splits: dict[str, list[str]] = defaultdict(list)
    for split, names in sets.items():
        for name in set(names):
            splits[name].append(split)
    return sorted(f"{name} ({' and '.join(s)})" for name, s in splits.items() if len(s) > 1)


def _some(findings: Sequence[str], *, of: int | None) -> str:
    total = f"{len(findings)}" if of is None else f"{len(findings)} of {of}"
    return f"{total}: {'; '.join(findings[:5])}{' ...' if len(findings) > 5 else ''}"
