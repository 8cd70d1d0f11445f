"""Makes one file of the corpus: the recording or the synthesizer, then the equal channel."""

import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earlet_train.corpus.channel import common_channel
from earlet_train.corpus.engine import Engine, Request, Samples, Speech
from earlet_train.corpus.imitation import imitate_source
from earlet_train.corpus.plan import BONA_FIDE, Attempt, Item
from earlet_train.corpus.speech_level import SAMPLE_RATE_HZ, high_pass, prepare_speech
from earlet_train.corpus.utterances import Utterance, load_utterance, sentence_hash

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is known of one file; the fields are the columns of the metadata."""

    file: str
    speaker: str
    system: str
    key: str
    language: str
    source: str
    sentence: str
    duration_s: float
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Made:
    """One item's outcome: its row, or why every attempt failed."""

    item: Item
    row: Row | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """All that a worker needs. `lengths_s`: of the bona fide utterances, by split."""

    out: Path
    store: Path
    seed: int
    utterances: Mapping[str, Utterance]
    lengths_s: Mapping[str, Sequence[float]]


def audio_file(out: Path, *, split: str, file: str) -> Path:
    """Where a file of the corpus lies."""
    return out / f"earlet_{split}" / "flac" / f"{file}.flac"


def make_file(item: Item, workshop: Workshop, engines: Mapping[str, Engine]) -> Made:
    """Try the item's attempts in order and write the first that gives a usable sound.

    Randomness depends on the seed, the file's neutral name and the attempt alone.
    """
    reason = "no attempt was planned"
    for number, attempt in enumerate(item.attempts):
        streams = _streams(workshop.seed, item.file, number)
        utterance = workshop.utterances[attempt.utterance]
        try:
            voiced = _voice(item, attempt, utterance, workshop, engines, streams)
        except Exception as error:  # an engine may fail in its own way on one text: try the next
            logger.debug("%s, attempt %d", item.file, number, exc_info=True)
            reason = f"{type(error).__name__}: {error}"[:300]
            continue
        if voiced is None:
            reason = "the system gave nothing usable"
            continue
        waveform, speaker = voiced
        # G.722 leaves half a step of DC, and only imitations have just been through it again: both
        # classes pass the high-pass once more.
        waveform = high_pass(waveform)
        pcm = common_channel(waveform, lengths_s=workshop.lengths_s[item.split], rng=streams[2])
        if pcm is None:
            reason = "less than 1.5 s of speech was left"
            continue
        return Made(
            item=item, row=_write(item, attempt, utterance, speaker, pcm, workshop), reason=""
        )
    return Made(item=item, row=None, reason=reason)


def _voice(
    item: Item,
    attempt: Attempt,
    utterance: Utterance,
    workshop: Workshop,
    engines: Mapping[str, Engine],
    streams: Sequence[np.random.Generator],
) -> tuple[Samples, str] | None:
    """The sound before the common channel, and whose voice it is."""
    source = load_utterance(utterance)
    if item.system == BONA_FIDE:
        return source.waveform, source.speaker
    engine = engines[item.system]
    spoken = engine.synthesize(_request(item, attempt, source, streams[0]), workshop.store)
    if spoken is None:
        return None
    prepared = prepare_speech(spoken.waveform, sample_rate_hz=spoken.sample_rate_hz)
    if prepared is None:
        return None
    made = imitate_source(prepared, method=engine.method, source=source, rng=streams[1])
    if not np.isfinite(made).all():
        return None
    return made, spoken.voice.replace(" ", "_") if engine.method == "tts" else source.speaker


def _request(item: Item, attempt: Attempt, source: Speech, rng: np.random.Generator) -> Request:
    return Request(
        split=item.split,
        language=attempt.language,
        text=attempt.text,
        source=source if attempt.text is None else None,
        rng=rng,
    )


def _write(
    item: Item,
    attempt: Attempt,
    utterance: Utterance,
    speaker: str,
    pcm: NDArray[np.int16],
    workshop: Workshop,
) -> Row:
    import soundfile

    file = audio_file(workshop.out, split=item.split, file=item.file)
    beside = file.with_suffix(f".{os.getpid()}.part")
    soundfile.write(beside, pcm, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    digest = hashlib.sha256(beside.read_bytes()).hexdigest()
    beside.replace(file)
    return Row(
        file=item.file,
        speaker=speaker,
        system=item.system,
        key="bonafide" if item.system == BONA_FIDE else "spoof",
        language=attempt.language,
        source=utterance.name,
        sentence=(
            utterance.sentence
            if attempt.text is None
            else sentence_hash(attempt.text, language=attempt.language)
        ),
        duration_s=round(len(pcm) / SAMPLE_RATE_HZ, 4),
        sha256=digest,
    )


def _streams(seed: int, file: str, attempt: int) -> list[np.random.Generator]:
    """Generators for the engine, the imitation and the channel."""
    digest = hashlib.sha256(f"{seed}/{file}/{attempt}".encode()).digest()
    sequence = np.random.SeedSequence(int.from_bytes(digest[:16], "big"))
    return [np.random.default_rng(child) for child in sequence.spawn(3)]
