"""`earlet listen`: judge sound as it arrives, from a microphone, a pipe or a file."""

import contextlib
import math
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from earlet.bundle import find
from earlet.commands.detect import channel_of
from earlet.commands.listen_show import Show
from earlet.detector import Detector
from earlet.ear import Ear
from earlet.errors import AudioError, UsageError
from earlet.events import Events, untuned
from earlet.live import json_line
from earlet.sound_in import Samples, Source, from_file, from_pipe
from earlet.waveform import Channel

STDIN = "-"
INTERRUPTED, STOPPED = 130, 143  # 128 + SIGINT, 128 + SIGTERM


def listen(
    source: Annotated[
        str | None,
        typer.Argument(help="- for stdin, or a sound file [default: the microphone]."),
    ] = None,
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
    threads: Annotated[int, typer.Option(help="Processor threads.", min=1)] = 1,
    device: Annotated[
        str | None, typer.Option(help="Microphone, by number or part of its name.")
    ] = None,
    list_devices: Annotated[
        bool, typer.Option("--devices", help="List the microphones and leave.")
    ] = False,
    rate: Annotated[
        int | None, typer.Option(help="Of raw samples on stdin, in Hz. A WAV says it itself.")
    ] = None,
    encoding: Annotated[
        Literal["s16", "s32", "f32"] | None,
        typer.Option("--format", help="Of raw samples on stdin, little-endian [default: s16]."),
    ] = None,
    channels: Annotated[
        int | None, typer.Option(help="Of raw samples on stdin [default: 1].", min=1, max=32)
    ] = None,
    channel: Annotated[
        str | None, typer.Option(help="Which channel to judge: 0, 1, ... or mean.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Stop after that much sound.", min=0.0)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Events and the summary only.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per line on stdout, nothing else.")
    ] = False,
) -> None:
    """Judge sound as it arrives, and tell when something begins and ends.

    The microphone is opened at its own rate (pip install 'earlet[mic]'). Verdicts become events by
    the policy that `earlet tune` wrote into the bundle. On a terminal one line shows level, score
    and label; elsewhere there is a line for every second. Ctrl-C ends with a summary and exit code
    130, the end of the sound with exit code 0.

    \b
    Example:
        earlet listen
        arecord -f S16_LE -r 16000 -c 1 -t raw | earlet listen - --rate 16000
        ffmpeg -i rtsp://camera -f wav - | earlet listen - --json
        earlet listen two-hours.flac --quiet
    """  # noqa: D301
    if list_devices:
        _print_devices(as_json=as_json)
        return
    _check_options(source, device=device, raw=(rate, encoding, channels))
    wanted = channel_of(channel)
    detector = Detector(find(model), precision=precision, threads=threads)
    manifest = detector.manifest
    policy = manifest.events or untuned(manifest.threshold)
    ear = Ear(detector=detector, events=Events(policy, label=manifest.positive), channel=wanted)
    show = Show(ear, as_json=as_json, quiet=quiet)
    with contextlib.ExitStack() as stack:
        opened = _open(
            source, stack=stack, device=device, channel=wanted, raw=(rate, encoding, channels)
        )
        if manifest.events is None:
            typer.echo(
                f"{manifest.name} was not tuned: its events follow a cautious rule of thumb. "
                "earlet tune chooses a policy on labelled recordings.",
                err=True,
            )
        try:
            with _told_to_stop():
                for piece in _until(opened, seconds):
                    show(ear.hear(piece, opened))
            show(ear.stream_end())
        except _StoppedError:
            raise typer.Exit(STOPPED) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        finally:
            show.end(ear.events_end(), opened)


class _StoppedError(KeyboardInterrupt):
    """A service manager said that it is enough (SIGTERM)."""


@contextlib.contextmanager
def _told_to_stop() -> Iterator[None]:
    """Within, SIGTERM ends the listening as Ctrl-C does: with a summary."""

    def stop(*_: object) -> None:
        raise _StoppedError

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _open(
    source: str | None,
    *,
    stack: contextlib.ExitStack,
    device: str | None,
    channel: Channel,
    raw: tuple[int | None, Literal["s16", "s32", "f32"] | None, int | None],
) -> Source:
    rate, encoding, channels = raw
    if source == STDIN:
        # A BufferedReader, which typeshed does not promise.
        pipe: Any = sys.stdin.buffer
        return from_pipe(
            pipe,
            name="the sound on stdin",
            sample_rate_hz=rate,
            encoding=encoding,
            channels=channels,
        )
    if source is not None:
        return from_file(Path(source))
    from earlet.microphone import choose, open_microphone

    chosen = choose(device)
    # The mean is of all there are; a channel needs those before it.
    count = chosen.channels if channel == "mean" else 1 + (channel or 0)
    opened = stack.enter_context(open_microphone(chosen, channels=count))
    typer.echo(f"listening to {opened.name!r} at {opened.sample_rate_hz} Hz; Ctrl-C ends", err=True)
    return opened


def _until(source: Source, seconds: float | None) -> Iterator[Samples]:
    """The pieces, up to so much sound."""
    left = math.inf if seconds is None else round(seconds * source.sample_rate_hz)
    for piece in source.pieces:
        yield piece if len(piece) <= left else piece[: int(left)]
        left -= len(piece)
        if left <= 0:
            return


def _check_options(
    source: str | None, *, device: str | None, raw: tuple[int | None, str | None, int | None]
) -> None:
    if source != STDIN and any(value is not None for value in raw):
        raise UsageError(
            "--rate, --format and --channels describe raw samples on stdin: give - as the source, "
            "or leave them out. A file says them itself, and a microphone is opened at its own."
        )
    if source is not None and device is not None:
        raise UsageError("--device names a microphone, and the source is another: give one.")
    if source == STDIN and sys.stdin.isatty():
        raise UsageError(
            "stdin is the keyboard. Pipe sound into it: "
            "arecord -f S16_LE -r 16000 -c 1 -t raw | earlet listen - --rate 16000"
        )


def _print_devices(*, as_json: bool) -> None:
    from dataclasses import asdict

    from earlet.microphone import devices

    found = devices()
    for one in found:
        if as_json:
            typer.echo(json_line("device", asdict(one)))
        else:
            mark = "   (the default)" if one.is_default else ""
            typer.echo(
                f"{one.index:>3}  {one.name}  ({one.system}), {one.channels} channel(s) at "
                f"{one.sample_rate_hz} Hz{mark}"
            )
    if not found:
        raise AudioError("there is no microphone here: no device has an input.")
