"""The three sizes a corpus is built in: which packages, which systems, how many files."""

from dataclasses import dataclass

from earlet_train.corpus.engine import Engine
from earlet_train.corpus.voices import bona_fide_packages

EVERYTHING = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Size:
    """`bona_fide` and `each_system`: files per split at most; an engine's share scales the latter.

    `systems` are ids, None for all. `packages` hold the recordings and their texts.
    """

    name: str
    packages: tuple[str, ...]
    systems: tuple[str, ...] | None
    bona_fide: dict[str, int]
    each_system: dict[str, int]

    def files_of(self, engine: Engine, split: str) -> int:
        """How many files this system is to make in this split."""
        return max(1, round(self.each_system[split] * engine.share))

    def wants(self, system: str) -> bool:
        """Whether this size has this system."""
        return self.systems is None or system in self.systems


_DEMO_LANGUAGES = ("en", "fr", "it", "ru")

SIZES: dict[str, Size] = {
    # About 100 MB of downloads: telephone prompts, one children's game, the small synthesizers.
    "demo": Size(
        name="demo",
        packages=(
            *(f"asterisk-core-sounds-{language}" for language in _DEMO_LANGUAGES),
            *(f"asterisk-core-sounds-{language}-g722" for language in _DEMO_LANGUAGES),
            "klettres-data",
        ),
        systems=("A01", "A05", "A06", "A07", "A08", "A09", "A10", "A11", "A12"),
        bona_fide={"train": 250, "dev": 110, "eval": 210},
        each_system={"train": 50, "dev": 18, "eval": 27},
    ),
    "standard": Size(
        name="standard",
        packages=bona_fide_packages(),
        systems=None,
        bona_fide={"train": 3_000, "dev": 500, "eval": 1_000},
        each_system={"train": 420, "dev": 70, "eval": 160},
    ),
    "full": Size(
        name="full",
        packages=bona_fide_packages(),
        systems=None,
        bona_fide=dict.fromkeys(("train", "dev", "eval"), EVERYTHING),
        each_system={"train": 1_200, "dev": 200, "eval": 400},
    ),
}
