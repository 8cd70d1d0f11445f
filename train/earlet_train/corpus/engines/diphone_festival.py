"""A02: diphone synthesis, Festival's Italian, Czech and (in eval) American voices."""

from pathlib import Path

from earlet_train.corpus.engine import Method, Request, Spoken
from earlet_train.corpus.engines import festival
from earlet_train.corpus.engines.festival import Voice, languages_with, synthesize_with

_PACE = "(Parameter.set 'Duration_Stretch {pace})"
_AMERICAN = (
    _PACE + "(set! int_lr_params (list (list 'target_f0_mean (* {pitch} 110))"
    " '(target_f0_std 15) '(model_f0_mean 170) '(model_f0_std 34)))"
)
VOICES = (
    Voice(name="lp", command="lp_diphone", language="it", split="train", settings=_PACE),
    Voice(name="pc", command="pc_diphone", language="it", split="train", settings=_PACE),
    Voice(name="dita", command="czech_dita", language="cs", split="train", settings=_PACE),
    Voice(name="machac", command="czech_machac", language="cs", split="dev", settings=_PACE),
    Voice(name="kal", command="kal_diphone", language="en", split="eval", settings=_AMERICAN),
    Voice(name="ked", command="ked_diphone", language="en", split="eval", settings=_AMERICAN),
)


class DiphoneFestival:
    """Festival diphones: recorded half-phones joined, residual-excited LPC for pitch."""

    id = "A02"
    name = "diphone TTS (Festival)"
    family = "waveform concatenation"
    method: Method = "tts"
    splits: tuple[str, ...] = ("train", "dev", "eval")
    packages: tuple[str, ...] = (
        *festival.PACKAGES,
        *("festvox-italp16k", "festvox-itapc16k", "festlex-ifd"),
        *("festvox-czech-dita", "festvox-czech-machac", "festival-czech"),
        *("festvox-kallpc16k", "festvox-kdlpc16k", "festlex-cmu", "festlex-poslex"),
    )
    share = 1.0

    def languages(self, split: str) -> tuple[str, ...]:
        """Italian and Czech in train, Czech in dev, English in eval."""
        return languages_with(VOICES, split)

    def synthesize(self, request: Request, store: Path) -> Spoken | None:
        """The request's text by a random voice of its split and language."""
        return synthesize_with(VOICES, request, store)
