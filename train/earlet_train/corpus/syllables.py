"""The corpus of Mandarin syllables: the four tones, read by one speaker to train and one to judge.

gcin-voice holds a folder for each syllable, named by its sounds in Zhuyin and a digit for its tone
(none: the first; 2, 3, 4; 1: the neutral one), and in it a recording by each of two people.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earlet.errors import CorpusError
from earlet_train.corpus.build import Order
from earlet_train.corpus.clips import Clip, ClipInventory, begin, empty_inventory, write_clips
from earlet_train.corpus.decode import decode
from earlet_train.corpus.engine import Samples
from earlet_train.corpus.packages import default_cache, fetch
from earlet_train.corpus.speech_level import (
    SAMPLE_RATE_HZ,
    SPEECH_LEVEL_DB,
    at_speech_level,
    high_pass,
    resample,
)

KIND = "syllables"
PACKAGE = "gcin-voice"
TONES = {"": "tone1", "2": "tone2", "3": "tone3", "4": "tone4"}
NEUTRAL = "1"
# The file's name in every folder is the speaker: the actress Chu Lo, and the package's author.
TRAINED, JUDGED = "5", "3"
# One in six syllables of the trained speaker, in all four of its tones.
DEV_SHARE = 6
# Initials alone are names of letters, not syllables; those of the hissing row are both, and stay.
LETTERS = frozenset("ㄅㄆㄇㄈㄉㄊㄋㄌㄍㄎㄏㄐㄑㄒ")
SHORTEST_S = 0.1
LEVEL_ROOM = 0.99


@dataclass(frozen=True, kw_only=True)
class Syllable:
    """One recording of the package: sounds without the tone, the tone's digit, the speaker."""

    path: Path
    sounds: str
    tone: str
    speaker: str


def build_syllables(
    order: Order, *, on_stage: Callable[[str, int, int], None] | None = None
) -> ClipInventory:
    """Fetch, read and write all of them, whatever the size. Raises CorpusError."""
    report = on_stage or (lambda title, done, total: None)
    finished = begin(order.out, kind=KIND, size=order.size, seed=order.seed)
    if finished is not None:
        return finished
    store = fetch(
        [PACKAGE],
        cache=order.cache or default_cache(),
        on_progress=lambda done, total, name: report("downloading (bytes)", done, total),
    )
    if not store.has([PACKAGE]):
        raise CorpusError(
            f"{PACKAGE} could not be had ({store.missing[PACKAGE]}). The pinned packages are those "
            "of Debian 12: run this on Debian 12 or in its container image, with a network."
        )
    syllables = read_syllables(store.folder / PACKAGE / "usr/share/gcin-voice/ogg")
    left_out = {
        "the neutral tone": "13 recordings by one speaker, 11 by the other: too few for a class",
        "initials alone (ㄅ, ㄆ, ...)": "names of letters, not syllables",
    }
    clips = list(_clips(syllables, left_out, seed=order.seed))
    inventory = empty_inventory(
        kind=KIND,
        size=order.size,
        seed=order.seed,
        labels={label: f"Mandarin, {label[:-1]} {label[-1]}" for label in TONES.values()},
        packages=[PACKAGE],
        left_out=left_out,
    )
    return write_clips(
        order.out,
        clips,
        inventory=inventory,
        on_clip=lambda done: report("writing clips", done, len(clips)),
    )


def read_syllables(folder: Path) -> list[Syllable]:
    """The recordings that have one of the four tones, in order of their paths."""
    found = []
    for path in sorted(folder.glob("*/*.ogg")):
        name = path.parent.name
        tone = name[-1] if name[-1].isdigit() else ""
        sounds = name.removesuffix(tone)
        if tone != NEUTRAL and sounds not in LETTERS and path.stem in (TRAINED, JUDGED):
            found.append(Syllable(path=path, sounds=sounds, tone=tone, speaker=path.stem))
    if not found:
        raise CorpusError(f"{folder} holds no syllables: delete {PACKAGE} from the cache.")
    return found


def split_of(syllable: Syllable, *, seed: int) -> str:
    """Eval by speaker; dev by the sounds without the tone, so that no tone of them is trained."""
    if syllable.speaker == JUDGED:
        return "eval"
    digest = hashlib.sha256(f"{seed} {syllable.sounds}".encode()).digest()
    return "dev" if digest[0] % DEV_SHARE == 0 else "train"


def trim(waveform: Samples) -> Samples:
    """Waveform [T], 16 kHz -> what lies between its first and last frame above -40 dB of its peak.

    The two speakers were cut differently: what is left of the silence would tell who speaks.
    """
    frames = len(waveform) // 160
    levels = np.abs(waveform[: frames * 160]).reshape(frames, 160).max(axis=1)
    loud = np.flatnonzero(levels > 0.01 * levels.max(initial=0.0))
    return waveform[160 * loud[0] : 160 * (loud[-1] + 1)] if loud.size else waveform[:0]


def _clips(syllables: list[Syllable], left_out: dict[str, str], *, seed: int) -> Iterator[Clip]:
    seen: set[bytes] = set()
    for syllable in syllables:
        samples = _samples(syllable.path)
        what = f"{syllable.path.parent.name}/{syllable.path.name}"
        if samples is None:
            left_out[what] = "silent or shorter than 0.1 s"
        elif samples.tobytes() in seen:
            left_out[what] = "the same sound as another one"
        else:
            seen.add(samples.tobytes())
            yield Clip(
                split=split_of(syllable, seed=seed),
                label=TONES[syllable.tone],
                speaker=f"gcin-{syllable.speaker}",
                extras={"sounds": syllable.sounds},
                samples=samples,
            )


def _samples(path: Path) -> NDArray[np.int16] | None:
    """16 kHz, trimmed, speech at -23 dBFS; None where there is nothing to hear."""
    waveform, rate_hz = decode(path)
    sound = trim(high_pass(resample(waveform, rate_hz, SAMPLE_RATE_HZ)))
    if len(sound) < SHORTEST_S * SAMPLE_RATE_HZ:
        return None
    leveled = at_speech_level(sound, level_db=SPEECH_LEVEL_DB).astype(np.float64)
    leveled *= min(1.0, LEVEL_ROOM / float(np.abs(leveled).max()))
    return np.rint(leveled * 32767).astype(np.int16)
