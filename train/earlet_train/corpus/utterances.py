"""Recordings as utterances of two to some six seconds: short ones joined, long ones cut.

Names of things, letters and syllables last half a second. Several of one speaker, in one language
and from one kind of file, follow each other with their own recorded margins as pauses (50 ms of
room on each side of each cut) until a length between 2.2 and 5 s is reached. Whatever is made from
an utterance (a copy, a conversion) is made from the joined sound, so the joints are in both
classes. Recordings above 7 s are cut in their pauses; what each stretch says is then not known.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from earlet_train.corpus.engine import Codec, Speech
from earlet_train.corpus.prepared import Prepared, load_prepared
from earlet_train.corpus.speech_level import SAMPLE_RATE_HZ, SPEECH_LEVEL_DB, at_speech_level
from earlet_train.corpus.voices import SPLIT_OF_SPEAKER

# The channel cuts up to 0.14 s inside both ends and its margins; 1.5 s must be left.
SHORTEST_S = 2.0
JOINED_S = (2.2, 5.0)
MOST_PIECES = 8
CROSSFADE_SAMPLES = 80


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One or several prepared recordings of one speaker, in order, or a stretch of one.

    `stretch_s`: from and to where in the only piece, None for all of it. `part_of`: the text of the
    whole recording that a stretch was cut from.
    """

    name: str
    speaker: str
    language: str
    split: str
    text: str | None
    codec: Codec
    source_rate_hz: int
    pieces: tuple[Path, ...]
    length_s: float
    stretch_s: tuple[float, float] | None = None
    part_of: str | None = None

    @property
    def sentence(self) -> str:
        """Hash of what is said: of the text where it is known, of the recordings' names elsewhere.

        Utterances with one sentence hash must share a split.
        """
        return sentence_hash(self.text or self.name, language=self.language)


def sentence_hash(text: str, *, language: str) -> str:
    """The same for two writings of one sentence in one language."""
    return hashlib.sha256(f"{language}:{spoken_form(text)}".encode()).hexdigest()[:12]


def spoken_form(text: str) -> str:
    """Text -> lower-case words alone: what two writings of one sentence have in common."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def to_utterances(prepared: Iterable[Prepared]) -> list[Utterance]:
    """All utterances of at least 2 s, sorted by name; the same for the same recordings."""
    alike: dict[tuple[str, str, Codec, int], list[Prepared]] = defaultdict(list)
    found = []
    for one in prepared:
        if one.cuts_s:
            found += _stretches(one)
        elif one.length_s >= SHORTEST_S:
            found.append(_utterance([one]))
        else:
            r = one.recording
            alike[r.speaker, r.language, r.codec, one.source_rate_hz].append(one)
    for group in alike.values():
        found += [_utterance(pieces) for pieces in _joined(group)]
    return _one_split_for_each_sentence(sorted(found, key=lambda utterance: utterance.name))


def load_utterance(utterance: Utterance) -> Speech:
    """The utterance's sound: float32 [T], 16 kHz, speech at -23 dBFS."""
    waveform = load_prepared(utterance.pieces[0])
    if utterance.stretch_s is not None:
        start, stop = (round(s * SAMPLE_RATE_HZ) for s in utterance.stretch_s)
        waveform = at_speech_level(waveform[start:stop], level_db=SPEECH_LEVEL_DB)
    ramp = np.linspace(0, 1, CROSSFADE_SAMPLES, dtype=np.float32)
    for file in utterance.pieces[1:]:
        piece = load_prepared(file)
        seam = waveform[-CROSSFADE_SAMPLES:] * (1 - ramp) + piece[:CROSSFADE_SAMPLES] * ramp
        waveform = np.concatenate([waveform[:-CROSSFADE_SAMPLES], seam, piece[CROSSFADE_SAMPLES:]])
    return Speech(
        name=utterance.name,
        waveform=waveform,
        speaker=utterance.speaker,
        language=utterance.language,
        split=utterance.split,
        text=utterance.text,
        codec=utterance.codec,
        source_rate_hz=utterance.source_rate_hz,
    )


def _utterance(pieces: Sequence[Prepared]) -> Utterance:
    first = pieces[0].recording
    texts = [p.recording.text for p in pieces]
    told = [text.strip(" .") for text in texts if text]
    text = texts[0] if len(pieces) == 1 else ", ".join(told)
    return Utterance(
        name="+".join([first.name, *(Path(p.recording.name).stem for p in pieces[1:])]),
        speaker=first.speaker,
        language=first.language,
        split=SPLIT_OF_SPEAKER[first.speaker],
        text=text if len(told) == len(pieces) else None,
        codec=first.codec,
        source_rate_hz=pieces[0].source_rate_hz,
        pieces=tuple(p.file for p in pieces),
        length_s=sum(p.length_s for p in pieces),
    )


def _stretches(one: Prepared) -> list[Utterance]:
    whole = _utterance([one])
    edges = (0.0, *one.cuts_s, one.length_s)
    return [
        replace(
            whole,
            name=f"{whole.name}#{number}",
            text=None,
            part_of=whole.text,
            stretch_s=(start, stop),
            length_s=stop - start,
        )
        for number, (start, stop) in enumerate(pairwise(edges), start=1)
    ]


def _joined(group: Sequence[Prepared]) -> list[list[Prepared]]:
    """Pieces in an order that only their content decides, cut into runs of the wanted lengths."""
    runs: list[list[Prepared]] = []
    run: list[Prepared] = []
    for one in sorted(group, key=lambda p: p.md5):
        run.append(one)
        low_s, high_s = JOINED_S
        wanted_s = low_s + (high_s - low_s) * int(run[0].md5[:6], 16) / 16**6
        if sum(p.length_s for p in run) >= wanted_s or len(run) == MOST_PIECES:
            runs.append(run)
            run = []
    runs.append(run)
    return [run for run in runs if sum(p.length_s for p in run) >= SHORTEST_S]


def _one_split_for_each_sentence(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Where two splits say the same sentence, the larger one (train) gives it up."""
    strictest = {"eval": 0, "dev": 1, "train": 2}
    keeper: dict[str, str] = {}
    for utterance in sorted(utterances, key=lambda u: strictest[u.split]):
        keeper.setdefault(utterance.sentence, utterance.split)
    return [u for u in utterances if keeper[u.sentence] == u.split]
