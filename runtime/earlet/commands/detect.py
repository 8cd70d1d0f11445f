"""`earlet detect`: judge recordings, one line or one JSON object each."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from earlet.audio import blocks, open_piped, open_sound
from earlet.bundle import find
from earlet.detector import Detector
from earlet.errors import AudioError, UsageError
from earlet.stream_recording import judge
from earlet.verdict import Verdict
from earlet.waveform import Channel

SCHEMA = "earlet.detect/1"
STDIN = "-"


def detect(
    files: Annotated[list[str], typer.Argument(help="Sound files; - reads one from stdin.")],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="BUNDLE",
            help="Bundle folder, .onnx file or shipped name [default: the shipped one].",
        ),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="int8 or fp32 [default: the bundle's own choice].")
    ] = None,
    threads: Annotated[int, typer.Option(help="Processor threads.")] = 1,
    channel: Annotated[
        str | None, typer.Option(help="Which channel to judge: 0, 1, ... or mean.")
    ] = None,
    windows: Annotated[
        bool, typer.Option("--windows", help="One verdict per window of the recording.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per line on stdout, nothing else.")
    ] = False,
    fail_on: Annotated[
        str | None, typer.Option(help="Leave with exit code 1 if any verdict is this label.")
    ] = None,
) -> None:
    """Judge recordings.

    Any sample rate and length, WAV, FLAC, OGG, MP3 and more. A file that cannot be judged is
    reported on stderr, the others are judged all the same, and the exit code is then 2.

    \b
    Example:
        earlet detect call.wav interview.flac
        earlet detect long.wav --windows --json
        cat call.wav | earlet detect - --fail-on synthetic
    """  # noqa: D301
    detector = Detector(find(model), precision=precision, threads=threads)
    labels = detector.manifest.labels
    if fail_on is not None and fail_on not in labels:
        raise UsageError(
            f"--fail-on {fail_on!r} can never happen: the labels of {detector.manifest.name} are "
            f"{', '.join(labels)}."
        )
    wanted = channel_of(channel)
    width = max(len(name) for name in files)
    failed, found = 0, False
    for name in files:
        try:
            with _open(name) as file:
                rate = int(file.samplerate)
                verdicts = judge(
                    detector,
                    blocks(file, name=_named(name)),
                    rate,
                    channel=wanted,
                    each_window=windows,
                )
        except AudioError as error:
            failed += 1
            message = str(error)
            typer.echo(f"earlet: {message if name in message else f'{name}: {message}'}", err=True)
            continue
        for verdict in verdicts:
            if as_json:
                typer.echo(_json_line(name, rate, verdict))
            else:
                typer.echo(_text_line(f"{name:<{width}}", verdict, detector))
            found = found or (fail_on is not None and verdict.label == fail_on)
    if failed:
        raise typer.Exit(AudioError.exit_code)
    if found:
        raise typer.Exit(1)


def channel_of(option: str | None) -> Channel:
    """What `--channel` means. Raises UsageError."""
    if option is None or option == "mean":
        return option  # type: ignore[return-value]
    if option.isdecimal():
        return int(option)
    raise UsageError(f"--channel should be 0, 1, ... or mean, found {option!r}.")


def _open(name: str) -> Any:
    """The sound file, to be read block by block: none is ever in memory as a whole."""
    if name == STDIN:
        return open_piped(sys.stdin.buffer, name=_named(name))
    return open_sound(Path(name))


def _named(name: str) -> str:
    return "the sound on stdin" if name == STDIN else name


def _json_line(name: str, rate_hz: int, verdict: Verdict) -> str:
    record = {
        "schema": SCHEMA,
        "file": name,
        "original_sample_rate_hz": rate_hz,
        **verdict.as_dict(),
    }
    return json.dumps(record, ensure_ascii=False, allow_nan=False)


def _text_line(name: str, verdict: Verdict, detector: Detector) -> str:
    """`call.wav  synthetic   97.3 %   score +3.59 (threshold +0.12)   0.0 to 4.1 s`."""
    labels = max(len("no signal"), *(len(label) for label in detector.manifest.labels))
    span = f"{verdict.start_s:.1f} to {verdict.end_s:.1f} s"
    if verdict.score is None or verdict.probability is None:
        quiet = f"nothing above {detector.manifest.silence_dbfs:.0f} dB"
        return f"{name}  {'no signal':<{labels}}  {quiet}   {span}"
    percent = f"{100 * verdict.probability:5.1f} % {detector.manifest.positive}"
    scale = f"score {verdict.score:+.2f} (threshold {verdict.threshold:+.2f})"
    return f"{name}  {verdict.label:<{labels}}  {percent}   {scale}   {span}"
