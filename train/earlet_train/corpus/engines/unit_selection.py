"""A13: unit selection, the very man who reads the festvox-ru sentences as a bona fide speaker."""

from pathlib import Path

from earlet_train.corpus.engine import Method, Request, Spoken
from earlet_train.corpus.engines import festival
from earlet_train.corpus.engines.festival import Voice, languages_with, synthesize_with

VOICES = (
    Voice(name="nsh", command="msu_ru_nsh_clunits", language="ru", split="eval", settings=""),
)


class UnitSelection:
    """Festival clunits: phones of 620 recorded sentences, chosen and joined, not processed."""

    id = "A13"
    name = "unit selection TTS (Festival clunits)"
    family = "waveform concatenation"
    method: Method = "tts"
    splits: tuple[str, ...] = ("eval",)
    packages: tuple[str, ...] = (*festival.PACKAGES, "festvox-ru")
    share = 1.0

    def languages(self, split: str) -> tuple[str, ...]:
        """Russian, in eval."""
        return languages_with(VOICES, split)

    def synthesize(self, request: Request, store: Path) -> Spoken | None:
        """The request's text in the units of the man's own recordings."""
        return synthesize_with(VOICES, request, store)
