"""A12: voice conversion by phase vocoder, Rubber Band's pitch shift that keeps formants."""

from pathlib import Path

import numpy as np

from earlet_train.corpus.engine import Method, Request, Spoken
from earlet_train.corpus.engines.conversion import draw_conversion, top_band_restored
from earlet_train.corpus.engines.programs import read_wav, run_program, working_folder

SAMPLE_RATE_HZ = 16_000


class PhaseVocoder:
    """Rubber Band: frames re-phased in the frequency domain, its older or its finer engine."""

    id = "A12"
    name = "phase vocoder conversion (Rubber Band)"
    family = "phase vocoder"
    method: Method = "vc"
    splits: tuple[str, ...] = ("eval",)
    packages: tuple[str, ...] = ("rubberband-cli",)
    share = 1.0

    def languages(self, split: str) -> tuple[str, ...]:
        """None: it converts any speech."""
        return ()

    def synthesize(self, request: Request, store: Path) -> Spoken | None:
        """The source's words two to five semitones higher or lower, formants in place."""
        import soundfile

        if request.source is None:
            return None
        goal = draw_conversion(request.source.waveform, request.rng)
        engine = "--fine" if request.rng.uniform() < 0.5 else "--fast"
        with working_folder() as folder:
            before, after = folder / "before.wav", folder / "after.wav"
            soundfile.write(before, request.source.waveform, SAMPLE_RATE_HZ, subtype="FLOAT")
            options = [engine, "--formant", "--pitch", f"{12 * np.log2(goal.pitch):.3f}"]
            options += ["--quiet", str(before), str(after)]
            if run_program("rubberband", options, store=store, package="rubberband-cli") is None:
                return None
            made = read_wav(after)
        if made is None:
            return None
        return Spoken(
            waveform=top_band_restored(made[0], request.source.waveform, factor=goal.pitch),
            sample_rate_hz=made[1],
            voice=request.source.speaker,
        )
