"""Decides, before anything is made, which files a corpus holds: the same for the same seed."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from earlet.protocol import SPLITS
from earlet_train.corpus.engine import Engine
from earlet_train.corpus.sizes import Size
from earlet_train.corpus.texts import Texts
from earlet_train.corpus.utterances import Utterance
from earlet_train.corpus.voices import SHARE_AT_MOST

ATTEMPTS = 4
BONA_FIDE = "-"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One way to fill a file: from an utterance, or a text read with an utterance as its donor."""

    utterance: str
    text: str | None
    language: str


@dataclass(frozen=True, kw_only=True)
class Item:
    """One file to be. `system` is an attack's id, `-` for bona fide.

    The first attempt that gives usable sound fills the file. `file` is numbered in an order that
    has nothing to do with class, system or speaker.
    """

    file: str
    split: str
    system: str
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, kw_only=True)
class _Draft:
    split: str
    system: str
    attempts: tuple[Attempt, ...]


def make_plan(
    *,
    size: Size,
    seed: int,
    utterances: Sequence[Utterance],
    texts: Texts,
    engines: Mapping[str, Engine],
) -> list[Item]:
    """All files of the corpus, sorted by name. `engines` are those that can run here."""
    drafts: list[_Draft] = []
    for split in SPLITS:
        rng = _generator(seed, f"plan {split}")
        available = [u for u in utterances if u.split == split]
        chosen = choose_evenly(available, count=size.bona_fide[split], rng=rng)
        if not chosen:
            continue
        spare = _spares(available, chosen)
        drafts += [
            _Draft(split=split, system=BONA_FIDE, attempts=_own(u, spare, rng)) for u in chosen
        ]
        drafts += _spoofs(split, chosen, size=size, texts=texts, engines=engines, rng=rng)
    return _numbered(drafts, seed=seed)


def choose_evenly(
    utterances: Sequence[Utterance], *, count: int, rng: np.random.Generator
) -> list[Utterance]:
    """At most `count` utterances, speakers as evenly as their supply allows, in random order.

    Speakers in `SHARE_AT_MOST` give at most that share.
    """
    by_speaker: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        by_speaker[utterance.speaker].append(utterance)
    count = min(count, len(utterances))
    queues = []
    for speaker in sorted(by_speaker):
        own = by_speaker[speaker]
        order = [own[i] for i in rng.permutation(len(own))]
        others = len(utterances) - len(own)
        share = SHARE_AT_MOST.get(speaker, 1.0)
        # A share of what the split can hold, which is less than asked for where supply is short.
        most = round(share * min(count, others / (1 - share))) if share < 1 else count
        queues.append(order[: max(most, 1)])
    chosen: list[Utterance] = []
    rounds = max((len(queue) for queue in queues), default=0)
    for i in range(rounds):
        chosen += [queue[i] for queue in queues if i < len(queue)]
    chosen = chosen[:count]
    return [chosen[i] for i in rng.permutation(len(chosen))]


def _spares(available: Sequence[Utterance], chosen: Sequence[Utterance]) -> dict[str, list[str]]:
    """Speaker -> utterances not chosen, which step in where a chosen one proves too short."""
    taken = {u.name for u in chosen}
    spare: dict[str, list[str]] = defaultdict(list)
    for utterance in available:
        if utterance.name not in taken:
            spare[utterance.speaker].append(utterance.name)
    return spare


def _own(
    utterance: Utterance, spare: dict[str, list[str]], rng: np.random.Generator
) -> tuple[Attempt, ...]:
    left = spare[utterance.speaker]
    second = [left.pop(int(rng.integers(len(left))))] if left else []
    return tuple(
        Attempt(utterance=name, text=None, language=utterance.language)
        for name in [utterance.name, *second]
    )


def _spoofs(
    split: str,
    chosen: Sequence[Utterance],
    *,
    size: Size,
    texts: Texts,
    engines: Mapping[str, Engine],
    rng: np.random.Generator,
) -> list[_Draft]:
    here = [engine for _, engine in sorted(engines.items()) if split in engine.splits]
    # One pointer for all copies and conversions: together they go through every utterance before
    # any comes a second time.
    turn = 0
    drafts = []
    for engine in here:
        count = size.files_of(engine, split)
        if engine.method == "tts":
            attempts = _readings(engine, split, count, chosen, texts=texts, rng=rng)
        else:
            attempts = [
                tuple(
                    _copy_of(chosen[(turn + i + k * 7919) % len(chosen)]) for k in range(ATTEMPTS)
                )
                for i in range(count)
            ]
            turn += count
        drafts += [_Draft(split=split, system=engine.id, attempts=a) for a in attempts]
    return drafts


def _copy_of(utterance: Utterance) -> Attempt:
    return Attempt(utterance=utterance.name, text=None, language=utterance.language)


def _readings(
    engine: Engine,
    split: str,
    count: int,
    chosen: Sequence[Utterance],
    *,
    texts: Texts,
    rng: np.random.Generator,
) -> list[tuple[Attempt, ...]]:
    """Texts in the engine's languages by turns, each with a donor that speaks that language.

    Where nobody does in this split, any donor: its channel is what is wanted of it. No text is
    read twice by one engine while there are others.
    """
    pools = texts.of(split, engine.languages(split))
    if not pools:
        return []
    by_language: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in chosen:
        by_language[utterance.language].append(utterance)
    languages = sorted(pools)
    orders = {name: rng.permutation(len(pools[name])) for name in languages}
    used = dict.fromkeys(languages, 0)

    def reading(turn: int) -> Attempt:
        language = languages[turn % len(languages)]
        order = orders[language]
        text = pools[language][order[used[language] % len(order)]]
        used[language] += 1
        donor = _any_speaker(by_language.get(language) or chosen, rng)
        return Attempt(utterance=donor.name, text=text, language=language)

    return [tuple(reading(i) for _ in range(ATTEMPTS)) for i in range(count)]


def _any_speaker(utterances: Sequence[Utterance], rng: np.random.Generator) -> Utterance:
    speakers = sorted({u.speaker for u in utterances})
    speaker = speakers[int(rng.integers(len(speakers)))]
    own = [u for u in utterances if u.speaker == speaker]
    return own[int(rng.integers(len(own)))]


def _numbered(drafts: Sequence[_Draft], *, seed: int) -> list[Item]:
    items = []
    for split in SPLITS:
        own = [draft for draft in drafts if draft.split == split]
        order = _generator(seed, f"names {split}").permutation(len(own))
        items += [
            Item(
                file=f"E_{split[0].upper()}_{number:07d}",
                split=split,
                system=own[i].system,
                attempts=own[i].attempts,
            )
            for number, i in enumerate(order, start=1)
        ]
    return items


def _generator(seed: int, purpose: str) -> np.random.Generator:
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))
