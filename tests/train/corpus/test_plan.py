from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from earlet_train.corpus.engines import ENGINES
from earlet_train.corpus.plan import BONA_FIDE, Item, choose_evenly, make_plan
from earlet_train.corpus.sizes import SIZES
from earlet_train.corpus.texts import Texts
from earlet_train.corpus.utterances import Utterance

SPEAKERS = {
    "train": ("AST_fr_june", "AST_it_carlo", "TUX_ro"),
    "dev": ("FIL_cs_m", "TUX_fr", "KDE_he"),
    "eval": ("AST_allison", "TUX_da"),
}
LANGUAGES = ("fr", "it", "cs", "ca", "en", "ru", "da")


def utterances(each: int = 60) -> list[Utterance]:
    return [
        Utterance(
            name=f"{speaker}/{number}",
            speaker=speaker,
            language="en" if split == "eval" else "fr",
            split=split,
            text=None,
            codec="pcm",
            source_rate_hz=16_000,
            pieces=(Path(f"{speaker}-{number}.flac"),),
            length_s=3.0,
        )
        for split, speakers in SPEAKERS.items()
        for speaker in speakers
        for number in range(each)
    ]


TEXTS = Texts(
    by_split={
        (split, language): tuple(f"a text number {n} in {language} for {split}" for n in range(50))
        for split in SPEAKERS
        for language in LANGUAGES
    }
)
SMALL = replace(
    SIZES["standard"],
    bona_fide={"train": 90, "dev": 60, "eval": 60},
    each_system={"train": 20, "dev": 10, "eval": 10},
)


def plan(seed: int = 0) -> list[Item]:
    return make_plan(size=SMALL, seed=seed, utterances=utterances(), texts=TEXTS, engines=ENGINES)


def test_a_plan_depends_on_its_seed_alone() -> None:
    assert plan() == plan()
    assert plan(1) != plan()


def test_every_system_is_in_its_splits_with_its_share() -> None:
    counts = Counter((item.split, item.system) for item in plan())
    for split, each in SMALL.each_system.items():
        for name, engine in ENGINES.items():
            wanted = max(1, round(each * engine.share)) if split in engine.splits else 0
            assert counts[split, name] == wanted, (split, name)


def test_nothing_crosses_the_splits() -> None:
    split_of = {u.name: u.split for u in utterances()}
    for item in plan():
        assert {split_of[a.utterance] for a in item.attempts} == {item.split}
        assert all(a.text is None or f"for {item.split}" in a.text for a in item.attempts)


def test_file_names_tell_nothing() -> None:
    items = [item for item in plan() if item.split == "train"]
    spoofed = np.array([item.system != BONA_FIDE for item in sorted(items, key=lambda i: i.file)])
    half = len(spoofed) // 2
    assert abs(spoofed[:half].mean() - spoofed[half:].mean()) < 0.2
    assert len({item.file for item in plan()}) == len(plan())
    assert items[0].file.startswith("E_T_")


def test_copies_go_through_all_utterances_before_any_comes_twice() -> None:
    copies = [
        item.attempts[0].utterance
        for item in plan()
        if item.split == "train" and item.system in {"A05", "A06", "A07", "A09"}
    ]
    assert len(copies) == 80
    assert len(set(copies)) == 80


def test_speakers_are_drawn_evenly_and_the_capped_one_stays_below_its_share() -> None:
    dev = [u for u in utterances() if u.split == "dev"]
    counts = Counter(u.speaker for u in choose_evenly(dev, count=120, rng=np.random.default_rng(0)))
    assert counts["TUX_fr"] == counts["KDE_he"]
    assert counts["FIL_cs_m"] <= 0.25 * counts.total() + 1


def test_an_engine_without_texts_in_its_language_makes_nothing() -> None:
    items = make_plan(
        size=SMALL, seed=0, utterances=utterances(), texts=Texts(by_split={}), engines=ENGINES
    )
    assert "A01" not in {item.system for item in items}
    assert "A05" in {item.system for item in items}
