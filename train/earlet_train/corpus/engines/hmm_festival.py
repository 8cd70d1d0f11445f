"""A03: HMM synthesis, the Catalan voice Ona and (in eval) the American voice SLT."""

from pathlib import Path

from earlet_train.corpus.engine import Method, Request, Spoken
from earlet_train.corpus.engines import festival
from earlet_train.corpus.engines.festival import Voice, languages_with, synthesize_with

_PACE = '(set! hts_engine_params (append hts_engine_params (list (list "-r" {pace}))))'
# Debian has two HMM voices of our languages, and eval has one of them: dev hears Ona as a small
# person, a seventh higher in pitch and formants.
VOICES = (
    Voice(name="ona", command="upc_ca_ona_hts", language="ca", split="train", settings=_PACE),
    Voice(
        name="small-ona",
        command="upc_ca_ona_hts",
        language="ca",
        split="dev",
        settings=_PACE.replace("{pace}", "(* 0.87 {pace})"),
        played_at=1.14,
    ),
    Voice(name="slt", command="cmu_us_slt_arctic_hts", language="en", split="eval", settings=_PACE),
)


class HmmFestival:
    """HTS in Festival: decision trees of hidden Markov models, an MLSA filter, pulses and noise."""

    id = "A03"
    name = "HMM TTS (Festival, HTS)"
    family = "statistical parametric"
    method: Method = "tts"
    splits: tuple[str, ...] = ("train", "dev", "eval")
    packages: tuple[str, ...] = (
        *festival.PACKAGES,
        *("festvox-ca-ona-hts", "festival-ca", "festvox-us-slt-hts", "festlex-cmu"),
        "festlex-poslex",
    )
    share = 1.0

    def languages(self, split: str) -> tuple[str, ...]:
        """Catalan in train and dev, English in eval."""
        return languages_with(VOICES, split)

    def synthesize(self, request: Request, store: Path) -> Spoken | None:
        """The request's text by the voice of its split."""
        return synthesize_with(VOICES, request, store)
