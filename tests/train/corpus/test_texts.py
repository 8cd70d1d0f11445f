from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from earlet_train.corpus.sources.recording import Sentence
from earlet_train.corpus.texts import deal_texts
from earlet_train.corpus.utterances import Utterance, spoken_form

WORDS = ("pluie", "maison", "renard", "lampe", "fleur", "route", "nuage", "pierre", "matin")
SENTENCES = [
    Sentence(language="fr", text=f"{a.capitalize()} et {b}, {c}.")
    for a in WORDS
    for b in WORDS
    for c in WORDS[:4]
]


def said_by(speaker: str, split: str, text: str) -> Utterance:
    return Utterance(
        name=f"{speaker}/{text}",
        speaker=speaker,
        language="fr",
        split=split,
        text=text,
        codec="pcm",
        source_rate_hz=16_000,
        pieces=(Path("x.flac"),),
        length_s=3.0,
    )


def test_texts_have_15_to_80_characters() -> None:
    dealt = deal_texts(SENTENCES, [])
    for texts in dealt.by_split.values():
        assert texts
        assert all(15 <= len(text) <= 80 for text in texts)


def test_no_sentence_is_read_in_two_splits() -> None:
    dealt = deal_texts(SENTENCES, [])
    forms = {spoken_form(s.text) for s in SENTENCES}
    read = {
        split: {form for form in forms for text in texts if form in spoken_form(text)}
        for (split, _), texts in dealt.by_split.items()
    }
    assert len(read) == 3
    assert not read["train"] & read["dev"]
    assert not read["train"] & read["eval"]
    assert not read["dev"] & read["eval"]


def test_a_recorded_sentence_goes_where_its_speaker_is() -> None:
    everything = [said_by("TUX_fr", "dev", s.text) for s in SENTENCES]
    assert {split for split, _ in deal_texts(SENTENCES, everything).by_split} == {"dev"}


def test_a_sentence_recorded_in_two_splits_is_read_in_none() -> None:
    text = "Une phrase que deux personnes disent."
    twice = [said_by("TUX_fr", "dev", text), said_by("AST_fr_june", "train", text)]
    assert deal_texts([Sentence(language="fr", text=text)], twice).by_split == {}


def test_what_no_voice_reads_is_dropped() -> None:
    odd = ["Composez le 1234 maintenant.", "[tonalité de la ligne]", "a = b, rien de plus ici"]
    assert deal_texts([Sentence(language="fr", text=t) for t in odd], []).by_split == {}


@given(st.permutations(SENTENCES[:40]))
def test_the_order_of_the_sentences_changes_nothing(order: list[Sentence]) -> None:
    assert deal_texts(order, []) == deal_texts(SENTENCES[:40], [])
