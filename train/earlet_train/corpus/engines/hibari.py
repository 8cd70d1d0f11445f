"""A15: neural TTS, hibari, distilled from one Kokoro voice (so related to A04, not unseen)."""

import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from earlet_train.corpus.engine import Method, Request, Spoken


class Hibari:
    """hibari-tts: eight megabytes of int8 network, then harmonic and noise synthesis by iSTFT."""

    id = "A15"
    name = "neural TTS (hibari, distilled)"
    family = "neural TTS"
    method: Method = "tts"
    splits: tuple[str, ...] = ("eval",)
    packages: tuple[str, ...] = ("hibari-tts",)
    share = 1.0

    def languages(self, split: str) -> tuple[str, ...]:
        """English, in eval."""
        return ("en",) if split == "eval" else ()

    def synthesize(self, request: Request, store: Path) -> Spoken | None:
        """The request's text by the voice in the wheel, at a random pace."""
        if not request.text or request.language not in self.languages(request.split):
            return None
        speaker = _speaker(store.resolve())
        if speaker is None:
            return None
        pace, seed = request.rng.uniform(0.85, 1.15), int(request.rng.integers(2**31))
        waveform = np.asarray(speaker(request.text, speed=pace, seed=seed), np.float32)
        if waveform.size == 0:
            return None
        return Spoken(
            waveform=waveform, sample_rate_hz=int(speaker.sample_rate), voice="hibari_heart"
        )


@cache
def _speaker(store: Path) -> Any | None:
    """The wheel's own synthesizer, imported from the store; None where it is not unpacked."""
    package = store / "hibari-tts/hibari"
    if not (package / "__init__.py").is_file():
        return None
    spec = importlib.util.spec_from_file_location(
        "hibari", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    sys.modules["hibari"] = module  # its own modules import each other by this name
    spec.loader.exec_module(module)
    return module.Hibari(threads=1)
