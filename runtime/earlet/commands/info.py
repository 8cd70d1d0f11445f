"""`earlet info`: what a bundle promises, in words."""

from typing import Annotated

import typer

from earlet.bundle import Bundle, find
from earlet.events import EventPoint, EventPolicy
from earlet.manifest import Manifest, WindowPolicy, canonical_json
from earlet.streaming import Streaming

SCHEMA = "earlet.info/1"

_SHORT = {
    "tile": "repeated end to end to fill the window",
    "stretch": "slowed down by repeating each sample to fill the window",
    "zero": "followed by silence to fill the window",
    "reject": "refused",
}
_POOLING = {
    "mean": "the mean over its windows",
    "max": "the highest of its windows",
    "first": "that of its first window",
}


def info(
    bundle: Annotated[
        str | None,
        typer.Argument(
            help="Bundle folder, .onnx file or shipped name [default: the shipped one]."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The manifest as JSON on stdout, nothing else.")
    ] = False,
) -> None:
    """Say what a bundle takes and answers.

    Its window, labels, threshold, what was proven at export, and where it comes from.

    \b
    Example:
        earlet info my-bundle
    """  # noqa: D301
    opened = find(bundle)
    if as_json:
        record = {"schema": SCHEMA, "path": str(opened.path), "manifest": _plain(opened.manifest)}
        typer.echo(canonical_json(record), nl=False)
        return
    for line in describe(opened):
        typer.echo(line)


def describe(bundle: Bundle) -> list[str]:
    """The contract of a bundle, one fact a line."""
    manifest = bundle.manifest
    others = ", ".join(name for name in manifest.labels if name != manifest.positive)
    point, made = manifest.operating_point, manifest.provenance
    lines = [
        f"{manifest.name} {manifest.version}   ({bundle.path})",
        f"  finds       {manifest.positive} (against {others})",
        f"  takes       mono sound at any rate; resampled to {manifest.sample_rate_hz} Hz",
        *_window_lines(manifest.window, manifest.sample_rate_hz),
        *_length_lines(manifest.any_length_from_samples, manifest.sample_rate_hz),
        f"  silence     below {manifest.silence_dbfs:g} dB RMS a window is not judged",
        f"  answers     a score, the log-odds of {manifest.positive}; "
        f"{manifest.positive} from {manifest.threshold:+.3f} on",
        f"  threshold   {point.name} on {point.data}: misses {_percent(point.miss_rate)}, "
        f"false alarms {_percent(point.false_alarm_rate)}",
    ]
    if manifest.events is not None:
        lines += _event_lines(manifest.events, manifest.event_point)
    for name in bundle.precisions:
        graph = manifest.graphs[name]
        # A lone .onnx carries a manifest that knows neither its own size nor its hash.
        size = graph.size_bytes or bundle.path.stat().st_size
        default = ", the default" if name == manifest.default_precision else ""
        lines.append(
            f"  {name:<11} {graph.file}, {size / 1e3:.0f} kB{default}; at export max |Δlogit| "
            f"{graph.max_abs_logit:.2g}, {graph.decision_flips} of {graph.decisions} decisions "
            "differed"
        )
    if manifest.stream is not None:
        lines += _stream_lines(manifest.stream, rate_hz=manifest.sample_rate_hz)
    lines += [
        f"  made from   a recipe of {len(made.recipe.splitlines())} lines (--json has it whole)",
        f"  trained on  {made.training_data}; {made.created}",
        f"  licence     {made.licence}",
    ]
    return lines


def _stream_lines(stream: Streaming, *, rate_hz: int) -> list[str]:
    """How it hears sound as it arrives."""
    graphs = ", ".join(
        f"{graph.file} {graph.size_bytes / 1e3:.0f} kB" for graph in stream.graphs.values()
    )
    away = max(graph.max_abs_logit for graph in stream.graphs.values())
    heard = (stream.warmup_chunks + 1) * stream.chunk_samples - stream.lead_samples
    return [
        f"  streams     a verdict every {stream.chunk_samples / rate_hz:.3g} s, the first after "
        f"{heard / rate_hz:.3g} s: {graphs}; at export max |Δlogit| {away:.2g} from the windows"
    ]


def _window_lines(window: WindowPolicy, rate_hz: int) -> list[str]:
    def seconds(samples: int) -> str:
        return f"{samples / rate_hz:.3g} s"

    return [
        f"  window      {seconds(window.window_samples)}, the next one "
        f"{seconds(window.hop_samples)} later; a recording's score is {_POOLING[window.pooling]}",
        f"  short       from {seconds(window.min_samples)} on; what is shorter than the window is "
        f"{_SHORT[window.short]}",
    ]


def _length_lines(shortest_samples: int | None, rate_hz: int) -> list[str]:
    """Nothing of graphs that take windows alone."""
    if shortest_samples is None:
        return []
    return [
        f"  lengths     its graphs take any length from {shortest_samples / rate_hz:.3g} s "
        f"({shortest_samples} samples) on; a detector feeds them windows all the same"
    ]


def _event_lines(policy: EventPolicy, point: EventPoint | None) -> list[str]:
    said = [
        f"  events      smoothed over {policy.smoothing_s:g} s; from {policy.on_threshold:+.3f} "
        f"on, for {policy.minimum_s:g} s, until below {policy.off_threshold:+.3f}; then none for "
        f"{policy.cool_down_s:g} s"
    ]
    if point is not None:
        found = f"{point.targets - point.misses} of {point.targets} found"
        if point.median_latency_s is not None:
            found += f", half within {point.median_latency_s:.1f} s"
        said.append(
            f"              {point.data} ({point.hours:.2f} h): "
            f"{point.false_alarms_per_hour:.2f} false alarms per hour, {found}"
        )
    return said


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f} %"


def _plain(manifest: Manifest) -> object:
    import json

    return json.loads(manifest.to_json())
