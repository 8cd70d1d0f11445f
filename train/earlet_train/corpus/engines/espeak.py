"""espeak-ng as a program: speech for A01, phonemes for A04."""

from pathlib import Path

from earlet_train.corpus.engine import Samples
from earlet_train.corpus.engines.programs import read_wav, run_program, working_folder

PACKAGES = ("espeak-ng", "espeak-ng-data", "libespeak-ng1")
_DIALECTS = {"en": "en-us", "nn": "nb", "be": "be", "fr": "fr-fr"}


def speak(
    text: str, *, language: str, variant: str, pitch: int, pace: int, store: Path
) -> tuple[Samples, int] | None:
    """Text -> waveform and rate (22.05 kHz). Pitch 0 to 99, pace in words per minute."""
    voice = f"{_DIALECTS.get(language, language)}+{variant}"
    with working_folder() as folder:
        file = folder / "spoken.wav"
        options = ["-v", voice, "-p", str(pitch), "-s", str(pace), "-w", str(file), "--stdin"]
        if _run(options, text=text, store=store) is None:
            return None
        return read_wav(file)


def phonemes(text: str, *, language: str, store: Path) -> str | None:
    """Text -> IPA with stress marks, affricates and diphthongs tied by ^."""
    options = ["-q", "--ipa", "--tie=^", "-v", _DIALECTS.get(language, language), "--stdin"]
    said = _run(options, text=text, store=store)
    return None if said is None else " ".join(said.decode("utf-8", "ignore").split())


def _run(options: list[str], *, text: str, store: Path) -> bytes | None:
    data = next((store / "espeak-ng-data").glob("usr/lib/*/espeak-ng-data"), None)
    return run_program(
        "espeak-ng",
        options,
        store=store,
        package="espeak-ng",
        environment={} if data is None else {"ESPEAK_DATA_PATH": str(data.resolve().parent)},
        standard_input=text.encode("utf-8"),
    )
