"""`earlet verify`: prove on this machine that a bundle still is what was exported."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from earlet.bundle import Bundle, find
from earlet.errors import UsageError
from earlet.manifest import SCHEMA as MANIFEST_SCHEMA
from earlet.manifest import canonical_json
from earlet.metrics import EqualErrorRate, equal_error_rate_with_interval
from earlet.protocol import Trial, read_protocol
from earlet.replay import Replay, replay

SCHEMA = "earlet.verify/1"


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """What one graph made of labelled recordings."""

    precision: str
    rate: EqualErrorRate
    decisions: NDArray[np.bool_]


def verify(
    bundle: Annotated[
        str | None,
        typer.Argument(help="Bundle folder or shipped name [default: the shipped one]."),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="Only this graph, int8 or fp32 [default: all].")
    ] = None,
    threads: Annotated[int, typer.Option(help="Processor threads.")] = 1,
    data: Annotated[
        Path | None,
        typer.Option(help="Labelled corpus (ASVspoof layout): error rate and decision flips too."),
    ] = None,
    split: Annotated[str, typer.Option(help="Its split: train, dev or eval.")] = "eval",
    limit: Annotated[
        int | None, typer.Option(help="At most that many recordings, spread over both classes.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")
    ] = False,
) -> None:
    """Prove that a bundle is what was exported.

    Checks every hash, and replays the golden signals against the PyTorch original's answers. Needs
    no torch, so run it on the board itself. Exit code 0: all as exported; 1: a graph answers
    otherwise on this machine; 4: a file is missing or changed.

    \b
    Example:
        earlet verify my-bundle
        earlet verify my-bundle --data corpus --limit 200
    """  # noqa: D301
    if limit is not None and limit < 2:
        raise UsageError(f"--limit should be at least 2, one of each class, found {limit}.")
    opened = find(bundle)
    files = opened.check_files()
    chosen = opened.precisions if precision is None else (opened.precision(precision),)
    replays = [replay(opened, name, threads) for name in chosen]
    labelled: list[Labelled] = []
    trials: Sequence[Trial] = ()
    if data is not None:
        trials = _some(read_protocol(data, split), limit)
        labelled = [_score(opened, name, trials, threads=threads) for name in chosen]
    if as_json:
        record = _record(opened, files, replays, labelled, trials)
        typer.echo(canonical_json(record), nl=False)
    else:
        manifest = opened.manifest
        typer.echo(f"{manifest.name} {manifest.version}: {len(files)} files, every hash as written")
        for line in itertools.chain(map(_replay_line, replays), _labelled_lines(labelled, trials)):
            typer.echo(line)
    if not all(one.ok for one in replays):
        raise typer.Exit(1)


def _replay_line(one: Replay) -> str:
    if not one.finite:
        return (
            f"the {one.precision} graph is BROKEN on this machine: it answers {one.worst_signal!r} "
            "with a number that is not finite"
        )
    verb = "answers as the PyTorch original did" if one.ok else "does NOT answer as the original"
    flips = f"{one.flips} of {one.signals} decisions differ" if one.flips else "no decision differs"
    return (
        f"the {one.precision} graph {verb}: max |Δlogit| {one.max_abs_logit:.2g} on "
        f"{one.signals} golden signals (allowed {one.tolerance:.2g}; worst: {one.worst_signal}), "
        f"{flips}"
    )


def _some(trials: list[Trial], limit: int | None) -> list[Trial]:
    """At most `limit` trials, evenly spaced within each class, in the protocol's order."""
    if limit is None or limit >= len(trials):
        return trials
    spoof = [trial for trial in trials if trial.is_spoof]
    human = [trial for trial in trials if not trial.is_spoof]
    few = min(limit // 2, len(spoof), len(human))
    counts = (limit - few, few) if len(human) < len(spoof) else (few, limit - few)
    kept = set()
    for group, count in zip((spoof, human), counts, strict=True):
        if group:
            index = np.linspace(0, len(group) - 1, num=min(count, len(group))).round().astype(int)
            kept |= {group[i].file for i in index}
    return [trial for trial in trials if trial.file in kept]


def _score(bundle: Bundle, precision: str, trials: Sequence[Trial], *, threads: int) -> Labelled:
    from earlet.scores import calibrate
    from earlet.scoring import score_trials

    manifest = bundle.manifest
    raw = score_trials(
        trials,
        bundle.session(precision, threads=threads).logits,
        policy=manifest.window,
        sample_rate_hz=manifest.sample_rate_hz,
        positive_index=manifest.positive_index,
    )
    scores = calibrate(raw, manifest.calibration)
    is_spoof = np.array([trial.is_spoof for trial in trials])
    groups = [f"{t.system} {t.speaker}" if t.is_spoof else t.speaker for t in trials]
    try:
        rate = equal_error_rate_with_interval(
            scores, is_spoof, groups=groups, rng=np.random.default_rng(0)
        )
    except ValueError as error:
        raise UsageError(f"no error rate from these recordings: {error}.") from None
    return Labelled(precision=precision, rate=rate, decisions=scores >= manifest.threshold)


def _labelled_lines(labelled: list[Labelled], trials: Sequence[Trial]) -> list[str]:
    lines = [
        f"on {len(trials)} labelled recordings the {one.precision} graph has an EER of "
        f"{100 * one.rate.eer:.1f} % (95 % interval {_percent(one.rate.low)} to "
        f"{_percent(one.rate.high)})"
        for one in labelled
    ]
    lines += [
        f"{a} and {b} decide differently on {count} of {len(trials)} of them"
        for (a, b), count in _flips(labelled).items()
    ]
    return lines


def _flips(labelled: list[Labelled]) -> Mapping[tuple[str, str], int]:
    """Each pair of precisions -> on how many recordings their decisions differ."""
    return {
        (a.precision, b.precision): int((a.decisions != b.decisions).sum())
        for a, b in itertools.combinations(labelled, 2)
    }


def _percent(rate: float | None) -> str:
    return "unknown" if rate is None else f"{100 * rate:.1f}"


def _record(
    bundle: Bundle,
    files: Sequence[str],
    replays: list[Replay],
    labelled: list[Labelled],
    trials: Sequence[Trial],
) -> dict[str, Any]:
    """JSON of all of it; what is not finite becomes null, with `finite: false` beside it."""
    manifest = bundle.manifest
    return {
        "schema": SCHEMA,
        "model": manifest.name,
        "version": manifest.version,
        "manifest_schema": MANIFEST_SCHEMA,
        "ok": all(one.ok for one in replays),
        "files": list(files),
        "golden": [
            {
                **asdict(one),
                "max_abs_logit": one.max_abs_logit if math.isfinite(one.max_abs_logit) else None,
            }
            for one in replays
        ],
        "recordings": len(trials),
        "labelled": [{"precision": one.precision, **asdict(one.rate)} for one in labelled],
        "decision_flips": [
            {"between": list(pair), "flips": count} for pair, count in _flips(labelled).items()
        ],
    }
