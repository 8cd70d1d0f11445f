"""`earlet verify`: prove on this machine that a bundle still is what was exported."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from earlet.accuracy import Accuracy, measure_accuracy
from earlet.against import Ladder, Plan, climb_against
from earlet.bad_recordings import Need, left_out
from earlet.bundle import Bundle, find
from earlet.hearing import Hearing
from earlet.labelled import LabelledSet, read_labelled
from earlet.manifest import SCHEMA as MANIFEST_SCHEMA
from earlet.manifest import canonical_json
from earlet.replay import Replay, replay, replay_features
from earlet.replay_stream import StreamReplay, replay_stream

SCHEMA = "earlet.verify/1"
# As many dev recordings as the export proves a bundle on.
PROOF_CLIPS = 400

Scored = Mapping[str, Accuracy]


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
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="ORIGINAL",
            help="The training run or checkpoint it was exported from: the whole ladder, from "
            "float64 to int8, asked anew. Or the .onnx file or package.module:factory that it was "
            "adopted from, with --data. Needs PyTorch.",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Its split: train, dev or eval [default: eval; with --against dev, which the "
            "promises are about]."
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            help="At most that many recordings, drawn by attack [default: all; with --against 400]."
        ),
    ] = None,
    skip_bad: Annotated[
        bool,
        typer.Option("--skip-bad", help="Leave out recordings that cannot be used, and say so."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")
    ] = False,
) -> None:
    """Prove that a bundle is what was exported.

    Checks every hash, replays the golden signals against the original's answers and, where
    the bundle streams, holds its streams against its windows. Needs no torch, so run it on the
    board itself. Exit code 0: all as exported; 1: a graph answers
    otherwise on this machine; 4: a file is missing or changed.

    With --against, on a development machine: the bundle's files against the original itself (the
    PyTorch network, or the model it was adopted from), at three depths (features, logits,
    decisions), on golden signals and recordings. What breaks a promise, or what the manifest says
    and the original does not, leaves with exit code 1. This finds a bundle whose graph, golden
    answers and hashes were all forged to fit each other.

    \b
    Example:
        earlet verify my-bundle
        earlet verify my-bundle --data corpus --limit 200
        earlet verify my-bundle --against runs/mine --data corpus
        earlet verify vad --against vad.onnx --data corpora/speech
    """  # noqa: D301
    opened = find(bundle)
    files = opened.check_files()
    chosen = opened.precisions if precision is None else (opened.precision(precision),)
    labelled = None
    if data is not None and against is None:
        labelled = _listen(opened, data, split=split or "eval", limit=limit, skip_bad=skip_bad)
    replays = [replay(opened, name, threads) for name in chosen]
    hearings = [replay_features(opened, name, threads) for name in chosen]
    streams = [one for name in chosen if (one := replay_stream(opened, name, threads))]
    scored: Scored = {}
    if labelled is not None:
        scored = _score(opened, chosen, labelled, threads=threads)
    ladder: Ladder | None = None
    if against is not None:
        plan = Plan(
            precisions=chosen,
            data=data,
            split=split or "dev",
            limit=limit or PROOF_CLIPS,
            threads=threads,
            skip_bad=skip_bad,
            on_step=lambda words: typer.echo(f"… {words}", err=True),
        )
        ladder = climb_against(opened, against, plan)
    if as_json:
        record = _record(opened, files, replays, hearings, streams, scored, ladder)
        typer.echo(canonical_json(record), nl=False)
    else:
        manifest = opened.manifest
        typer.echo(f"{manifest.name} {manifest.version}: {len(files)} files, every hash as written")
        held = [] if ladder is None else ladder.lines()
        heard = [line for one in hearings for line in _hearing_lines(one)]
        streamed = [_stream_line(one) for one in streams]
        told = (*map(_replay_line, replays), *heard, *streamed, *_labelled_lines(scored), *held)
        for line in told:
            typer.echo(line)
    if not _all_ok(replays, hearings, streams, ladder):
        raise typer.Exit(1)


def _replay_line(one: Replay) -> str:
    if not one.finite:
        return (
            f"the {one.precision} graph is BROKEN on this machine: it answers {one.worst_signal!r} "
            "with a number that is not finite"
        )
    verb = "answers as the original did" if one.ok else "does NOT answer as the original"
    flips = f"{one.flips} of {one.signals} decisions differ" if one.flips else "no decision differs"
    return (
        f"the {one.precision} graph {verb}: max |Δlogit| {one.max_abs_logit:.2g} on "
        f"{one.signals} golden signals (allowed {one.tolerance:.2g}; worst: {one.worst_signal}), "
        f"{flips}"
    )


def _hearing_lines(one: Hearing | None) -> list[str]:
    """Says which half of a graph is at fault; nothing of a graph whose halves are not known."""
    if one is None:
        return []
    if one.ok:
        return [
            f"the {one.precision} graph hears what the original heard: mean and spread of its "
            f"features agree on {one.signals} golden signals"
        ]
    return [
        f"the {one.precision} graph hears other features than the original did, most on "
        f"{one.worst_signal!r} ({one.worst:.3g} times as far as a float frontend may be): its "
        "frontend is at fault"
    ]


def _stream_line(one: StreamReplay) -> str:
    verb = "says what the windows say" if one.ok else "does NOT say what the windows say"
    flips = f"{one.flips} verdicts differ" if one.flips else "no verdict differs"
    return (
        f"the {one.precision} stream {verb}: max |Δlogit| {one.max_abs_logit:.2g} on "
        f"{one.windows} windows of the golden signals as one sound (allowed {one.tolerance:.2g}), "
        f"{flips}"
    )


def _all_ok(
    replays: Sequence[Replay],
    hearings: Sequence[Hearing | None],
    streams: Sequence[StreamReplay],
    ladder: Ladder | None,
) -> bool:
    heard = all(one is None or one.ok for one in hearings)
    equal = all(one.ok for one in replays) and all(one.ok for one in streams)
    return equal and heard and not (ladder and ladder.broken)


def _listen(
    bundle: Bundle, data: Path, *, split: str, limit: int | None, skip_bad: bool
) -> LabelledSet:
    """The recordings to judge; what cannot be is refused, or left out and named on stderr."""
    labelled = read_labelled(data, split=split, limit=limit, seed=0)
    labelled.check_spoof_labels()
    manifest = bundle.manifest
    need = Need.of(manifest.window, sample_rate_hz=manifest.sample_rate_hz)
    usable = labelled.usable(need, skip_bad=skip_bad)
    if usable.left_out:
        typer.echo(left_out(usable.left_out, of=len(labelled.trials)), err=True)
        # Leaving recordings out may leave a class out.
        usable.check_spoof_labels()
    return usable


def _score(bundle: Bundle, chosen: Sequence[str], labelled: LabelledSet, *, threads: int) -> Scored:
    """Precision -> its error rates, and its decisions that differ from the first one's."""
    sessions = {name: bundle.session(name, threads=threads).logits for name in chosen}
    return measure_accuracy(
        sessions, manifest=bundle.manifest, labelled=labelled, reference=chosen[0]
    )


def _labelled_lines(scored: Scored) -> list[str]:
    lines = [
        f"on {one.trials} labelled recordings the {precision} graph has an EER of "
        + ", ".join(
            f"{100 * rate.eer:.1f} % (95 % interval {100 * rate.low:.1f} to {100 * rate.high:.1f}) "
            f"on {_POOLS[pool]}"
            for pool, rate in one.pools.items()
            if pool in _POOLS
        )
        for precision, one in scored.items()
    ]
    lines += [
        f"{one.reference} and {precision} decide differently on {one.flips} of {one.decisions} "
        "of them"
        for precision, one in scored.items()
        if one.reference is not None
    ]
    return lines


_POOLS = {"known": "attacks like those in training", "unknown": "other attacks", "pooled": "all"}


def _record(
    bundle: Bundle,
    files: Sequence[str],
    replays: Sequence[Replay],
    hearings: Sequence[Hearing | None],
    streams: Sequence[StreamReplay],
    scored: Scored,
    ladder: Ladder | None,
) -> dict[str, Any]:
    """JSON of all of it; what is not finite becomes null, with `finite: false` beside it."""
    manifest = bundle.manifest
    return {
        "schema": SCHEMA,
        "model": manifest.name,
        "version": manifest.version,
        "manifest_schema": MANIFEST_SCHEMA,
        "ok": _all_ok(replays, hearings, streams, ladder),
        "files": list(files),
        "golden": [
            {
                **asdict(one),
                "max_abs_logit": one.max_abs_logit if math.isfinite(one.max_abs_logit) else None,
            }
            for one in replays
        ],
        "features": [
            {
                **asdict(one),
                "worst": one.worst if math.isfinite(one.worst) else None,
                "ok": one.ok,
            }
            for one in hearings
            if one is not None
        ],
        "streams": [
            {
                **asdict(one),
                "max_abs_logit": one.max_abs_logit if math.isfinite(one.max_abs_logit) else None,
            }
            for one in streams
        ],
        "labelled": {precision: asdict(one) for precision, one in scored.items()},
        "against": None if ladder is None else dict(ladder.record()),
    }
