"""Decodes every recording once, trims it to its speech, and keeps the result in the cache."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from earlet.errors import CorpusError
from earlet_train.corpus.decode import decode, stored_rate_hz
from earlet_train.corpus.engine import Samples
from earlet_train.corpus.pool import worker_pool
from earlet_train.corpus.sources.recording import Recording
from earlet_train.corpus.speech_level import (
    HOP_S,
    SAMPLE_RATE_HZ,
    SPEECH_LEVEL_DB,
    at_speech_level,
    prepare_speech,
    speech_frames,
)

# Part of the cache's folder name: raise it whenever decoding or trimming changes.
PREPARATION = "speech-2"
LOWEST_RATE_HZ = 16_000
CHUNK = 48
# Longer recordings are cut at pauses of 0.15 s into stretches of these lengths where they can be.
LONG_S = 7.0
STRETCH_S = (2.4, 6.0)
PAUSE_FRAMES = 15


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A recording trimmed to its speech: where it is kept, how long it lasts, its content's md5.

    `length_s` is 0 where it holds no usable speech, or was recorded below 16 kHz. `cuts_s`: where a
    long one can be cut, in the middle of pauses; empty for most.
    """

    recording: Recording
    file: Path
    md5: str
    length_s: float
    source_rate_hz: int
    cuts_s: tuple[float, ...] = ()


def prepare_recordings(
    recordings: Sequence[Recording],
    *,
    cache: Path,
    jobs: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Prepared]:
    """All usable recordings, each content once, in the order given.

    Copies of one file under one speaker's name count once; a file that two speakers claim is left
    out, since one of the names must be wrong. What is prepared already is only looked at.
    """
    folder = cache / PREPARATION
    folder.mkdir(parents=True, exist_ok=True)
    chunks = [recordings[i : i + CHUNK] for i in range(0, len(recordings), CHUNK)]
    found: list[Prepared] = []
    with worker_pool(jobs) as pool:
        for prepared in _mapped(pool, chunks, folder):
            found += prepared
            if on_progress:
                on_progress(len(found), len(recordings))
    return _each_once([p for p in found if p.length_s > 0])


def load_prepared(file: Path) -> Samples:
    """Waveform float32 [T], 16 kHz, speech at -23 dBFS."""
    import soundfile

    waveform, rate_hz = soundfile.read(file, dtype="float32")
    if rate_hz != SAMPLE_RATE_HZ:
        raise CorpusError(
            f"{file} has {rate_hz} Hz, expected {SAMPLE_RATE_HZ}: delete it and build again"
        )
    return at_speech_level(np.asarray(waveform, np.float32), level_db=SPEECH_LEVEL_DB)


def prepare_chunk(recordings: Sequence[Recording], folder: Path) -> list[Prepared]:
    """What one worker does: decode, trim, keep."""
    return [_prepare(recording, folder) for recording in recordings]


def _mapped(
    pool: ProcessPoolExecutor, chunks: Sequence[Sequence[Recording]], folder: Path
) -> "list[list[Prepared]]":
    return pool.map(prepare_chunk, chunks, [folder] * len(chunks))  # type: ignore[return-value]


def _prepare(recording: Recording, folder: Path) -> Prepared:
    import soundfile

    md5 = hashlib.md5(recording.path.read_bytes(), usedforsecurity=False).hexdigest()
    file = folder / md5[:2] / f"{md5}.flac"
    unusable = file.with_suffix(".none")
    blank = Prepared(recording=recording, file=file, md5=md5, length_s=0.0, source_rate_hz=0)
    if unusable.is_file():
        return blank
    if not file.is_file():
        file.parent.mkdir(exist_ok=True)
        waveform, rate_hz = decode(recording.path)
        speech = prepare_speech(waveform, sample_rate_hz=rate_hz) if len(waveform) else None
        if rate_hz < LOWEST_RATE_HZ or speech is None:
            unusable.touch()
            return blank
        # 16 bits hold it: quieter where a peak would clip, the level comes back on loading.
        gain = min(1.0, 0.98 / float(np.abs(speech).max()))
        beside = file.with_suffix(f".{os.getpid()}.part")
        soundfile.write(beside, speech * gain, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
        beside.replace(file)
    length_s = soundfile.info(file).frames / SAMPLE_RATE_HZ
    return replace(
        blank,
        length_s=length_s,
        source_rate_hz=stored_rate_hz(recording.path),
        cuts_s=find_cuts(load_prepared(file)) if length_s > LONG_S else (),
    )


def find_cuts(waveform: Samples) -> tuple[float, ...]:
    """Waveform [T], 16 kHz -> times in s, in pauses, that leave stretches of 2.4 to 6 s.

    Each stretch is as long as its pauses allow; where there is no pause in time, it is longer.
    """
    is_speech = np.concatenate([[True], speech_frames(waveform), [True]])
    edges = np.diff(is_speech.astype(np.int8))
    starts, stops = np.flatnonzero(edges == -1), np.flatnonzero(edges == 1)
    middles_s = (starts + stops)[stops - starts >= PAUSE_FRAMES] / 2 * HOP_S
    end_s, (shortest_s, longest_s) = len(waveform) / SAMPLE_RATE_HZ, STRETCH_S
    cuts: list[float] = []
    last_s = 0.0
    while end_s - last_s > longest_s:
        possible = middles_s[(middles_s - last_s >= shortest_s) & (end_s - middles_s >= shortest_s)]
        if possible.size == 0:
            break
        near = possible[possible - last_s <= longest_s]
        last_s = float(near[-1] if near.size else possible[0])
        cuts.append(last_s)
    return tuple(cuts)


def _each_once(prepared: Sequence[Prepared]) -> list[Prepared]:
    speakers: dict[str, set[str]] = defaultdict(set)
    for one in prepared:
        speakers[one.md5].add(one.recording.speaker)
    kept: dict[str, Prepared] = {}
    for one in prepared:
        if len(speakers[one.md5]) == 1:
            kept.setdefault(one.md5, one)
    return list(kept.values())
