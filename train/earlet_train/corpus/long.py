"""Mixes long recordings from a corpus: calls that stay real, and calls whose voice turns synthetic.

A call is one person's recordings in a row with pauses between. About half-way, in calls that turn,
one synthesizer takes over for the rest: with copies and conversions of the same person where the
corpus has enough of them, else with one of its own voices. Every recording is brought to the one
speech level of its call, and one steady room noise goes through speech and pauses alike, so that
neither tells where the voice turns. (What tells the two apart inside a recording, its channel
included, is the corpus's own doing; see `earlet_train.corpus.channel`.)

Equal arguments give equal bytes: each call draws from its own generator, seeded by seed and number.
"""

import json
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from earlet.audio import read
from earlet.errors import CorpusError, UsageError
from earlet.protocol import KEYS, Trial, read_protocol
from earlet.segments import TABLES, LongRecording, Segment, segments_csv
from earlet_train.corpus.engine import Samples
from earlet_train.corpus.speech_level import SAMPLE_RATE_HZ, at_speech_level, resample

SCHEMA = "earlet-calls-1"
CALLS_FILE = "calls.json"
OnStage = Callable[[str, int, int], None]

PAUSE_S = (0.3, 1.2)
TURN_AT = (0.4, 0.6)
LEVEL_DB = (-33.0, -22.0)
ROOM_BELOW_DB = (35.0, 45.0)
ROOM_S = 20
# Fewer recordings than that would repeat within half a minute.
FEWEST_REAL, FEWEST_MADE = 10, 5


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to mix. `stay_real`: share of the calls in which nothing turns."""

    corpus: Path
    split: str
    out: Path
    minutes: float
    count: int
    seed: int = 0
    stay_real: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Call:
    """How one call is cast. `system`, `voice`: who takes over; None where it stays real."""

    number: int
    person: str
    system: str | None = None
    voice: str | None = None

    @property
    def name(self) -> str:
        """Of its file."""
        return f"call_{self.number:04d}.flac"


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """`calls.json`. `distinct`, `played`: different recordings used, and how many in all."""

    schema: str
    corpus: str
    split: str
    seed: int
    minutes: float
    hours: float
    distinct: int
    played: int
    calls: Sequence[Call]


def mix_calls(order: Order, *, on_stage: OnStage = lambda *_: None) -> Mixed:
    """Write the folder `order.out`, whole or not at all. Raises CorpusError, UsageError."""
    if order.out.exists():
        raise UsageError(f"{order.out} exists already. Choose another name with --out.")
    shelf = _Shelf(read_protocol(order.corpus, order.split), corpus=order.corpus)
    calls = cast(shelf, count=order.count, stay_real=order.stay_real, seed=order.seed)
    partial = order.out.absolute().with_name(f".{order.out.name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True)
        recordings, used = [], []
        for call in calls:
            on_stage("mixing calls", call.number - 1, order.count)
            recording, played = _mix(call, shelf, order=order, folder=partial)
            recordings.append(recording)
            used += played
        on_stage("mixing calls", order.count, order.count)
        mixed = Mixed(
            schema=SCHEMA,
            corpus=order.corpus.resolve().name,
            split=order.split,
            seed=order.seed,
            minutes=order.minutes,
            hours=sum(r.segments[-1].end_s for r in recordings) / 3600,
            distinct=len(set(used)),
            played=len(used),
            calls=calls,
        )
        (partial / TABLES[0]).write_text(segments_csv(recordings), encoding="utf-8")
        told = json.dumps(asdict(mixed), indent=1, ensure_ascii=False) + "\n"
        (partial / CALLS_FILE).write_text(told, encoding="utf-8")
        partial.rename(order.out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return mixed


def cast(shelf: "_Shelf", *, count: int, stay_real: float, seed: int) -> list[Call]:
    """People and synthesizers in turn, so that each comes about equally often."""
    rng = np.random.default_rng(seed)
    people = [str(name) for name in rng.permutation(sorted(shelf.people))]
    systems = [str(name) for name in rng.permutation(sorted(shelf.systems))]
    turning = round(count * (1 - stay_real))
    # Spread over the people: without this every second person would always stay real.
    turns = set(rng.permutation(count)[:turning].tolist())
    calls, turned = [], 0
    for number in range(count):
        call = Call(number=number + 1, person=people[number % len(people)])
        if number in turns:
            system = systems[turned % len(systems)]
            turned += 1
            call = replace(call, system=system, voice=shelf.voice(system, call.person, rng=rng))
        calls.append(call)
    return calls


class _Shelf:
    """The recordings of a split, by who speaks. Voice None: anyone of that system."""

    def __init__(self, trials: Sequence[Trial], *, corpus: Path) -> None:
        if any(trial.key not in KEYS for trial in trials):
            raise CorpusError(
                f"{corpus} is labelled otherwise than {' and '.join(KEYS)}: calls are mixed of "
                "real and synthetic speech."
            )
        real: dict[str, list[Trial]] = defaultdict(list)
        made: dict[str, dict[str, list[Trial]]] = defaultdict(lambda: defaultdict(list))
        for trial in trials:
            if trial.is_spoof:
                made[trial.system][trial.speaker].append(trial)
            else:
                real[trial.speaker].append(trial)
        if not real or not made:
            raise CorpusError(
                f"this split of {corpus} holds {len(real)} people and {len(made)} synthesizers; "
                "a call that turns needs both. Name another with --split."
            )
        enough = {name: own for name, own in real.items() if len(own) >= FEWEST_REAL}
        self.people: Mapping[str, list[Trial]] = enough or real
        self.systems: Mapping[str, Mapping[str, list[Trial]]] = made

    def voice(self, system: str, person: str, *, rng: np.random.Generator) -> str | None:
        """The person's own copies; else a voice with enough recordings; else any of them."""
        voices = self.systems[system]
        enough = sorted(name for name, own in voices.items() if len(own) >= FEWEST_MADE)
        if person in enough:
            return person
        return str(rng.choice(enough)) if enough else None

    def made(self, call: Call) -> list[Trial]:
        """What the synthesizer of a call says."""
        voices = self.systems[call.system or ""]
        if call.voice is not None:
            return voices[call.voice]
        return [trial for own in voices.values() for trial in own]


def _mix(
    call: Call, shelf: _Shelf, *, order: Order, folder: Path
) -> tuple[LongRecording, list[str]]:
    """Write one call -> its stretches, and the names of the recordings in it."""
    import soundfile

    rng = np.random.default_rng([order.seed, call.number])
    level_db = rng.uniform(*LEVEL_DB)
    room = _room(level_db - rng.uniform(*ROOM_BELOW_DB), rng=rng)
    whole = round(order.minutes * 60 * SAMPLE_RATE_HZ)
    turn = round(whole * rng.uniform(*TURN_AT)) if call.system is not None else whole
    real = _endless(shelf.people[call.person], rng=rng)
    made = _endless(shelf.made(call), rng=rng) if call.system is not None else real
    played: list[str] = []
    turned_at: int | None = None
    done = 0
    with soundfile.SoundFile(
        folder / call.name, "w", samplerate=SAMPLE_RATE_HZ, channels=1, subtype="PCM_16"
    ) as file:
        while done < whole:
            turned = done >= turn
            if turned and turned_at is None:
                turned_at = done
            trial = next(made if turned else real)
            played.append(trial.file)
            pause = np.zeros(round(rng.uniform(*PAUSE_S) * SAMPLE_RATE_HZ), np.float32)
            piece = np.concatenate([_spoken(trial, level_db=level_db), pause])[: whole - done]
            heard = piece + room[(done + np.arange(len(piece))) % len(room)]
            file.write(np.clip(heard, -1.0, 1.0 - 2.0**-15))
            done += len(piece)
    own = [(0, turned_at or whole, KEYS[0], call.person, "-")]
    if turned_at is not None:
        own.append((turned_at, whole, KEYS[1], call.voice or "-", call.system or "-"))
    segments = tuple(
        Segment(
            start_s=first / SAMPLE_RATE_HZ,
            end_s=last / SAMPLE_RATE_HZ,
            label=label,
            speaker=speaker,
            system=system,
        )
        for first, last, label, speaker, system in own
    )
    return LongRecording(name=call.name, path=folder / call.name, segments=segments), played


def _endless(trials: Sequence[Trial], *, rng: np.random.Generator) -> Iterator[Trial]:
    """All of them in random order, then all again in another."""
    while True:
        for index in rng.permutation(len(trials)):
            yield trials[int(index)]


def _spoken(trial: Trial, *, level_db: float) -> Samples:
    """A recording [T] at 16 kHz and the call's level; quieter where its peaks would clip."""
    recording = read(trial.path)
    mono = recording.samples if recording.samples.ndim == 1 else recording.samples.mean(axis=1)
    heard = resample(mono, recording.sample_rate_hz, SAMPLE_RATE_HZ)
    levelled = at_speech_level(heard, level_db=level_db)
    return levelled * np.float32(min(1.0, 0.98 / max(float(np.abs(levelled).max()), 1e-9)))


def _room(level_db: float, *, rng: np.random.Generator) -> Samples:
    """20 s of steady noise between white and brown at that RMS; its end meets its beginning."""
    samples = ROOM_S * SAMPLE_RATE_HZ
    slope = rng.uniform(0.0, 2.0)
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    frequency = np.maximum(np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HZ), 60.0)
    noise = np.fft.irfft(spectrum * frequency ** (-slope / 2), samples)
    return np.asarray(noise * 10 ** (level_db / 20) / np.sqrt(np.mean(noise**2)), np.float32)
