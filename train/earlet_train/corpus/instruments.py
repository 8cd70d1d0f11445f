"""The corpus of instruments: single notes of eleven families, from SoundFonts that share nothing.

Laid out like NSynth (Engel et al. 2017): a note is held 1.6 s of a 2 s clip, any key of a common
range sounds in every family, velocities are NSynth's five. What differs from one split to the next:

- eval is FluidR3, train and dev are TimGM6mb and csound's bank. The latter two are one source, not
  two: 58 of their first 96 programs play the same recordings (cross-correlation above 0.95, most
  1.00), so one of them may not judge what the other trained. FluidR3 shares none with either.
- dev holds out programs, in both its SoundFonts, and whatever plays the same recordings with them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from earlet.errors import CorpusError, UsageError
from earlet_train.corpus.build import Order
from earlet_train.corpus.clips import Clip, ClipInventory, begin, empty_inventory, write_clips
from earlet_train.corpus.engine import Samples
from earlet_train.corpus.instrument_families import FAMILIES, groups_of_recordings
from earlet_train.corpus.packages import Store, default_cache, fetch
from earlet_train.corpus.pool import worker_pool
from earlet_train.corpus.soundfonts import LIBRARIES, PROGRAM, Note, render_notes

KIND = "instruments"
# The same for all families, so that pitch tells nothing: five octaves from 55 Hz up.
KEYS = range(33, 93)
VELOCITIES = (25, 50, 75, 100, 127)
DEV_SHARE = 0.2
# How much more than needed is rendered: silent notes and copies of others are replaced by it.
SPARE = 1.5
SILENCE = 1e-4
PEAKS_DBFS = (-12.0, -1.0)
FADE_SAMPLES = 160
COMPARED_SAMPLES = 4_000
SAME = 0.995


@dataclass(frozen=True, kw_only=True)
class Font:
    """A SoundFont: the package that holds it, and where in it."""

    name: str
    package: str
    file: str

    def path(self, store: Path) -> Path:
        """The file among the unpacked packages."""
        return store / self.package / self.file


_SF2 = "usr/share/sounds/sf2"
TIMGM = Font(name="timgm", package="timgm6mb-soundfont", file=f"{_SF2}/TimGM6mb.sf2")
CSOUND = Font(name="csound", package="csound-soundfont", file=f"{_SF2}/sf_GMbank.sf2")
FLUID = Font(name="fluid", package="fluid-soundfont-gm", file=f"{_SF2}/FluidR3_GM.sf2")
FLUID_MONO = Font(
    name="fluid-mono",
    package="fluidr3mono-gm-soundfont",
    file="usr/share/sounds/sf3/FluidR3Mono_GM.sf3",
)


@dataclass(frozen=True, kw_only=True)
class Size:
    """Notes of each family and SoundFont, at most, and which SoundFont judges."""

    notes: int
    judge: Font


SIZES: Mapping[str, Size] = {
    # 28 MB of downloads and 5 MB of fluidsynth: FluidR3 as its small mono edition.
    "demo": Size(notes=60, judge=FLUID_MONO),
    "standard": Size(notes=220, judge=FLUID),
    # Every key of every program.
    "full": Size(notes=len(KEYS) * max(map(len, FAMILIES.values())), judge=FLUID),
}


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Notes of one family from one SoundFont for one split: the first `wanted` that sound."""

    split: str
    family: str
    font: Font
    wanted: int
    notes: tuple[Note, ...]


def build_instruments(
    order: Order, *, on_stage: Callable[[str, int, int], None] | None = None
) -> ClipInventory:
    """Fetch, render and write; a corpus that is complete is returned at once. Raises CorpusError.

    The clips depend on size and seed alone.
    """
    report = on_stage or (lambda title, done, total: None)
    if order.size not in SIZES:
        raise UsageError(f"there is no size {order.size!r}; the sizes are {', '.join(SIZES)}.")
    finished = begin(order.out, kind=KIND, size=order.size, seed=order.seed)
    if finished is not None:
        return finished
    draws = draw_notes(SIZES[order.size], seed=order.seed)
    fonts = sorted({draw.font.package for draw in draws})
    wanted = {*fonts, PROGRAM, *LIBRARIES}
    store = fetch(
        wanted,
        cache=order.cache or default_cache(),
        on_progress=lambda done, total, name: report("downloading (bytes)", done, total),
    )
    if not store.has(fonts):
        lost = [f"{name}: {store.missing[name]}" for name in fonts if name in store.missing]
        raise CorpusError(
            f"a SoundFont could not be had ({'; '.join(lost)}). The pinned packages are those of "
            "Debian 12: run this on Debian 12 or in its container image, with a network."
        )
    clips, short = _render_all(draws, store, order=order, report=report)
    inventory = empty_inventory(
        kind=KIND,
        size=order.size,
        seed=order.seed,
        labels={
            family: "General MIDI programs " + ", ".join(map(str, own))
            for family, own in FAMILIES.items()
        },
        packages=[name for name in wanted if name not in store.missing],
        left_out={f"package {name}": why for name, why in store.missing.items()} | short,
    )
    return write_clips(
        order.out,
        clips,
        inventory=inventory,
        on_clip=lambda done: report("writing clips", done, len(clips)),
    )


def draw_notes(size: Size, *, seed: int) -> list[Draw]:
    """Which notes are rendered for which split, in a fixed order.

    A family's keys and programs are dealt to the SoundFonts of a split in turns: no two of them
    play the same key of the same program, unless there are too few.
    """
    draws: list[Draw] = []
    for family, own in FAMILIES.items():
        rng = np.random.default_rng([seed, crc32(family.encode())])
        held_out = held_out_programs(own, rng=rng)
        trained = tuple(p for p in own if p not in held_out)
        dev = round(size.notes * DEV_SHARE)
        for split, chosen, fonts, wanted in (
            ("train", trained, (TIMGM, CSOUND), size.notes - dev),
            ("dev", held_out, (TIMGM, CSOUND), dev),
            ("eval", own, (size.judge,), size.notes),
        ):
            pairs = [(program, key) for program in chosen for key in KEYS]
            order = rng.permutation(len(pairs))
            wanted = min(wanted, len(pairs))
            count = min(len(pairs), round(wanted * SPARE))
            for place, font in enumerate(fonts):
                start = place * len(pairs) // len(fonts)
                dealt = [pairs[order[(start + i) % len(pairs)]] for i in range(count)]
                notes = tuple(
                    Note(program=program, key=key, velocity=int(rng.choice(VELOCITIES)))
                    for program, key in dealt
                )
                draws.append(
                    Draw(split=split, family=family, font=font, wanted=wanted, notes=notes)
                )
    return draws


def held_out_programs(own: tuple[int, ...], *, rng: np.random.Generator) -> tuple[int, ...]:
    """About a fifth of a family's programs for dev, at least one; copies go together."""
    groups = groups_of_recordings(own)
    held: list[int] = []
    for index in rng.permutation(len(groups)):
        if len(held) + len(groups[index]) <= max(1, round(DEV_SHARE * len(own))):
            held += groups[index]
    return tuple(sorted(held))


def _render_all(
    draws: Sequence[Draw], store: Store, *, order: Order, report: Callable[[str, int, int], None]
) -> tuple[list[Clip], dict[str, str]]:
    """All clips in the order of the draws, and the draws that came out short, with the reason."""
    clips: list[Clip] = []
    short: dict[str, str] = {}
    seen: dict[int, list[Samples]] = {}
    with worker_pool(order.jobs) as pool:
        count = len(draws)
        rendered = pool.map(render, draws, [store.folder] * count, [order.seed] * count)
        for number, (draw, sounds) in enumerate(zip(draws, rendered, strict=True), start=1):
            kept = list(usable(draw, sounds, seen))
            clips += kept
            if len(kept) < draw.wanted:
                told = f"{draw.wanted - len(kept)} of {draw.wanted} notes"
                name = f"{told} of {draw.family} in {draw.split}, {draw.font.name}"
                short[name] = "silent, or the same sound as another note"
            report("rendering families", number, count)
    return clips, short


def usable(
    draw: Draw, sounds: Sequence[NDArray[np.int16] | None], seen: dict[int, list[Samples]]
) -> Iterator[Clip]:
    """The first of a draw that sound and are no copy of a note that is in any split already.

    `seen`: by key, the beginnings of all notes so far.
    """
    kept = 0
    for note, samples in zip(draw.notes, sounds, strict=True):
        if samples is None or kept == draw.wanted:
            continue
        clip = Clip(
            split=draw.split,
            label=draw.family,
            speaker=f"{draw.font.name}-{note.program:03d}",
            extras={
                "font": draw.font.name,
                "program": str(note.program),
                "note": str(note.key),
                "velocity": str(note.velocity),
            },
            samples=samples,
        )
        if not is_copy(samples, seen.setdefault(note.key, [])):
            kept += 1
            yield clip


def is_copy(samples: NDArray[np.int16], others: list[Samples]) -> bool:
    """Whether a note [T] is one of `others` at another level; if not, it becomes one of them.

    By the cosine of their first quarters of a second: all notes begin on the same sample, and only
    notes of one key can be copies. (Without effects, velocity changes little but the level.)
    """
    begin = samples[:COMPARED_SAMPLES].astype(np.float32)
    begin /= max(float(np.linalg.norm(begin)), 1.0)
    if others and float(np.abs(np.stack(others) @ begin).max()) > SAME:
        return True
    others.append(begin)
    return False


def render(draw: Draw, store: Path, seed: int) -> list[NDArray[np.int16] | None]:
    """What one worker does: a draw's notes as they are written, None for a silent one."""
    sounds = render_notes(draw.notes, font=draw.font.path(store), store=store)
    rng = np.random.default_rng(
        [seed, crc32(f"{draw.split} {draw.family} {draw.font.name}".encode())]
    )
    return [finish(sound, peak_dbfs=float(rng.uniform(*PEAKS_DBFS))) for sound in sounds]


def finish(sound: Samples, *, peak_dbfs: float) -> NDArray[np.int16] | None:
    """Rendered note [T] -> [T] in 16 bits, its peak where asked, its end faded; None if silent.

    The peak is drawn without regard to family, so that loudness tells nothing either.
    """
    peak = float(np.abs(sound).max())
    if peak < SILENCE:
        return None
    faded = sound.astype(np.float64)
    faded[-FADE_SAMPLES:] *= np.linspace(1, 0, FADE_SAMPLES)
    return np.rint(faded * (10 ** (peak_dbfs / 20) * 32767 / peak)).astype(np.int16)
