"""What synthesizers are given to read: 15 to 80 characters, every sentence in one split alone."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from earlet_train.corpus.sources.recording import Sentence
from earlet_train.corpus.utterances import Utterance, spoken_form

SHORTEST_CHARACTERS = 15
LONGEST_CHARACTERS = 80
PLENTY = 500
TURNS = 4
# How the sentences that nobody recorded are dealt out; recorded ones follow their speaker.
DEALT: tuple[tuple[str, float], ...] = (("train", 0.5), ("dev", 0.7), ("eval", 1.0))

_BRACKETED = re.compile(r"[\[({<][^\])}>]*[\])}>]")
_CLAUSE_END = re.compile(r"(?<=[.!?;:,])\s+")


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Texts by split and language, in an order that only their content decides."""

    by_split: dict[tuple[str, str], tuple[str, ...]]

    def of(self, split: str, languages: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The languages among these that this split has texts in."""
        found = {language: self.by_split.get((split, language), ()) for language in languages}
        return {language: texts for language, texts in found.items() if texts}


def deal_texts(sentences: Iterable[Sentence], utterances: Iterable[Utterance]) -> Texts:
    """Sentences -> texts of 15 to 80 characters, dealt to the splits by the hash of the sentence.

    A sentence that a speaker has recorded goes to that speaker's split, and is dropped where
    speakers of two splits have recorded it. Long ones are cut at their commas, short ones joined
    within their split.
    """
    recorded: dict[tuple[str, str], set[str]] = defaultdict(set)
    for utterance in utterances:
        for part in _parts(utterance.text or utterance.part_of or ""):
            recorded[utterance.language, spoken_form(part)].add(utterance.split)
    dealt: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for sentence in sentences:
        # A sentence split into parts is dealt by its parts: each part may come back elsewhere.
        for part in _parts(sentence.text):
            form = spoken_form(part)
            splits = recorded.get((sentence.language, form)) or {_by_hash(sentence.language, form)}
            if form and len(splits) == 1:
                dealt[min(splits), sentence.language].setdefault(form, part)
    return Texts(
        by_split={key: tuple(_texts_of(parts)) for key, parts in sorted(dealt.items()) if parts}
    )


def _texts_of(parts: dict[str, str]) -> list[str]:
    """Parts by spoken form -> texts. A small supply is joined anew in other orders, up to four."""
    texts: dict[str, None] = {}
    for turn in range(TURNS):
        order = sorted(parts, key=lambda form: _digest(f"{turn}:{form}"))
        texts.update(dict.fromkeys(_of_length([parts[form] for form in order])))
        if len(texts) >= PLENTY:
            break
    return list(texts)


def _parts(text: str) -> list[str]:
    """Text -> clauses short enough to be read in one breath; what no voice reads is dropped."""
    clean = " ".join(_BRACKETED.sub(" ", text).replace("...", ",").split())
    if any(character.isdigit() or character in "$%#@_*=<>|/\\" for character in clean):
        return []
    parts = [clean] if len(clean) <= LONGEST_CHARACTERS else _CLAUSE_END.split(clean)
    stripped = [part.strip(" ,;:-\u2013\u2014\"'«»„“”") for part in parts]
    return [part for part in stripped if 1 < len(part) <= LONGEST_CHARACTERS]


def _of_length(parts: Sequence[str]) -> list[str]:
    """Parts -> texts of a wanted length, drawn anew for each by the hash of its first part."""
    texts: list[str] = []
    text = ""
    for part in parts:
        joined = f"{text.rstrip('.')}, {part}" if text else part
        if len(joined) > LONGEST_CHARACTERS:
            texts.append(text)
            joined = part
        text = joined
        span = LONGEST_CHARACTERS - SHORTEST_CHARACTERS
        first = text.split(",", 1)[0]
        if len(text) >= SHORTEST_CHARACTERS + span * (int(_digest(first)[:4], 16) / 16**4) ** 1.5:
            texts.append(text)
            text = ""
    texts.append(text)
    return [text for text in texts if len(text) >= SHORTEST_CHARACTERS]


def _by_hash(language: str, form: str) -> str:
    place = int(_digest(f"{language}:{form}")[:8], 16) / 16**8
    return next(split for split, upto in DEALT if place < upto)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
