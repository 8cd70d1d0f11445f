"""Draws what every augmentation does to a real recording, one row each: before, after, difference.

    python -m earlet_train.augmentations.show --data CORPUS --out build/augmentations.png

What is drawn is the augmentation itself with its default settings, only that its probability is 1:
of a dozen draws the one that changes most, or mixes most evenly.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor

from earlet.errors import CorpusError, EarletError
from earlet.protocol import Trial, read_protocol
from earlet.scoring import read_trial
from earlet_train.atomic import write_beside
from earlet_train.augmentations import AUGMENTATIONS
from earlet_train.augmentations.augmentation import Augmentation, Floats
from earlet_train.frontends.spectrogram import Spectrogram, SpectrogramSettings

RATE_HZ, WINDOW_SAMPLES, HOP_SAMPLES = 16_000, 32_000, 128
LABELS = ("bona fide", "spoof")
INK, BEFORE, AFTER, GRID, SOUNDS = "#22303c", "#8a9aa8", "#c2410c", "#e3e8ec", "magma"
RANGE_DB = 80.0
DRAWS = 12


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One row: three pictures with their titles, the last of which may be two waveforms."""

    name: str
    what: str
    pictures: tuple[Tensor, ...]
    titles: tuple[str, str, str]
    waveforms: tuple[Floats, Floats] | None = None


def rows(human: Floats, machine: Floats) -> Iterator[Shown]:
    """Two waveforms [T] of 2 s, 16 kHz -> what each registered augmentation makes of them."""
    spectrogram = Spectrogram(
        SpectrogramSettings(n_fft=512, hop_samples=HOP_SAMPLES, peak_normalise=False),
        sample_rate_hz=RATE_HZ,
    )
    windows = torch.from_numpy(np.stack([human, machine]))
    features, targets = spectrogram(windows), torch.eye(2)
    human_picture = features[0, 0]
    for name, kind in AUGMENTATIONS.items():
        augmentation = _always(kind)
        what = _settings_line(augmentation.settings)
        heard = [augmentation.waveform(human, rng) for rng in _draws()]
        masked = [augmentation.features(features, rng)[0, 0] for rng in _draws()]
        mixed = [augmentation.mix(features, targets, rng) for rng in _draws()]
        if any(not np.array_equal(wave, human) for wave in heard):
            pictures = [spectrogram(torch.from_numpy(wave)[None])[0, 0] for wave in heard]
            strongest = _strongest(pictures, human_picture)
            yield Shown(
                name=name,
                what=what,
                pictures=(human_picture, pictures[strongest]),
                titles=("before", "after", "waveform: before (above), after (below)"),
                waveforms=(human, heard[strongest]),
            )
        elif any(not torch.equal(picture, human_picture) for picture in masked):
            after = masked[_strongest(masked, human_picture)]
            yield Shown(
                name=name,
                what=what,
                pictures=(human_picture, after, after - human_picture),
                titles=("before", "after", "difference (white: the same)"),
            )
        else:
            # The most even mixture shows most of both.
            mixture, labels = min(mixed, key=lambda pair: float((pair[1][0] - 0.5).abs().max()))
            yield Shown(
                name=name,
                what=what,
                pictures=(human_picture, features[1, 0], mixture[0, 0]),
                titles=(
                    f"A: {_target(targets[0])}",
                    f"B: {_target(targets[1])}",
                    f"A mixed with B: {_target(labels[0])}",
                ),
            )


def draw(shown: list[Shown], path: Path, *, title: str) -> None:
    """Write the rows as one PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(h_pad=0.08)
    figure = Figure(figsize=(13, 1.95 * len(shown) + 0.6), dpi=100, layout=layout)
    FigureCanvasAgg(figure)
    figure.suptitle(title, color=INK, fontsize=12)
    grid = figure.subplots(len(shown), 3, squeeze=False)
    for at in grid[-1]:
        at.set_xlabel("seconds", fontsize=8, color=INK)
    for axes, row in zip(grid, shown, strict=True):
        loudest = float(row.pictures[0].max())
        for at, picture in zip(axes, row.pictures, strict=False):
            is_difference = at is axes[2] and row.titles[2].startswith("difference")
            at.imshow(
                picture.numpy(),
                origin="lower",
                aspect="auto",
                interpolation="nearest",
                cmap="RdBu_r" if is_difference else SOUNDS,
                vmin=-RANGE_DB / 2 if is_difference else loudest - RANGE_DB,
                vmax=RANGE_DB / 2 if is_difference else loudest,
                extent=(0, WINDOW_SAMPLES / RATE_HZ, 0, RATE_HZ / 2_000),
            )
        if row.waveforms is not None:
            time_s = np.arange(WINDOW_SAMPLES) / RATE_HZ
            largest = max(float(np.abs(wave).max()) for wave in row.waveforms)
            for wave, colour, offset in zip(row.waveforms, (BEFORE, AFTER), (1, -1), strict=True):
                axes[2].plot(time_s, wave / largest + offset, color=colour, linewidth=0.5)
            axes[2].set_xlim(0, WINDOW_SAMPLES / RATE_HZ)
            axes[2].set_yticks([])
            axes[2].grid(color=GRID, linewidth=0.7)
        for at, name in zip(axes, row.titles, strict=True):
            at.set_title(name, fontsize=9, color=INK, pad=3)
            at.tick_params(colors=INK, labelsize=7)
            at.spines[["top", "right"]].set_visible(False)
        axes[0].set_ylabel("kHz", fontsize=8, color=INK)
        at_left = {"xycoords": "axes fraction", "ha": "right", "color": INK}
        axes[0].annotate(row.name, (-0.14, 0.9), weight="bold", fontsize=11, va="center", **at_left)
        axes[0].annotate(row.what, (-0.14, 0.75), fontsize=8.5, va="top", **at_left)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_beside(path, lambda file: figure.savefig(file, format="png"))


def _draws() -> list[np.random.Generator]:
    """The same few beginnings for every augmentation."""
    return [np.random.default_rng(seed) for seed in range(DRAWS)]


def _strongest(pictures: list[Tensor], before: Tensor) -> int:
    """Which of the draws changed most: the weak ones look like nothing."""
    return int(np.argmax([float((picture - before).abs().mean()) for picture in pictures]))


def _always(kind: type[Augmentation]) -> Augmentation:
    names = {f.name for f in dataclasses.fields(kind.Settings)}
    settings = kind.Settings(**({"probability": 1.0} if "probability" in names else {}))
    return kind(settings, sample_rate_hz=RATE_HZ)


def _settings_line(settings: Any) -> str:
    """The settings one to a line, as a recipe would write them."""
    lines = []
    for key, value in dataclasses.asdict(settings).items():
        if key not in ("probability", "copies_only"):
            shown = ",\n".join(value) if isinstance(value, tuple) else value
            lines.append(f"{key} = {shown}")
    return "\n".join(lines)


def _target(target: Tensor) -> str:
    shares = [(float(share), label) for share, label in zip(target, LABELS, strict=True)]
    return " + ".join(f"{share:.2f} {label}" for share, label in shares if share > 0)


def _first_long_enough(trials: list[Trial], *, is_spoof: bool) -> tuple[Trial, Floats]:
    """The first trial of a class that fills the window, and its first 2 s."""
    for trial in trials:
        if trial.is_spoof == is_spoof:
            waveform = read_trial(trial, sample_rate_hz=RATE_HZ)
            if len(waveform) >= WINDOW_SAMPLES:
                return trial, waveform[:WINDOW_SAMPLES]
    raise CorpusError(
        f"no {LABELS[is_spoof]} recording of the dev split lasts 2 s, expected one at least. "
        "Name another corpus with --data."
    )


def main(
    data: Annotated[
        Path, typer.Option(help="A corpus tree; two recordings of its dev split are drawn.")
    ],
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("augmentations.png"),
) -> None:
    """Draw what every augmentation does to a real recording."""
    try:
        trials = read_protocol(data, "dev")
        human, human_waveform = _first_long_enough(trials, is_spoof=False)
        machine, machine_waveform = _first_long_enough(trials, is_spoof=True)
        shown = list(rows(human_waveform, machine_waveform))
        title = (
            f"Every augmentation with its default settings, the strongest of {DRAWS} draws, on "
            f"{human.file} of {data.name} (mixed with {machine.file})"
        )
        draw(shown, out, title=title)
    except EarletError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(error.exit_code) from None
    typer.echo(f"{out}: {len(shown)} augmentations, before and after")


if __name__ == "__main__":
    typer.run(main)
