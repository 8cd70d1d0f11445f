"""A14: clustergen, the three American and Scottish voices of flite."""

from pathlib import Path

from earlet_train.corpus.engine import Method, Request, Spoken
from earlet_train.corpus.engines.programs import read_wav, run_program, working_folder

VOICES = ("awb", "rms", "slt")


class ClustergenFlite:
    """flite: spectra predicted by decision trees frame by frame, MLSA with mixed excitation."""

    id = "A14"
    name = "clustergen TTS (flite)"
    family = "parametric"
    method: Method = "tts"
    splits: tuple[str, ...] = ("dev",)
    packages: tuple[str, ...] = ("flite", "libflite1")
    share = 1.0

    def languages(self, split: str) -> tuple[str, ...]:
        """English, in dev."""
        return ("en",) if split == "dev" else ()

    def synthesize(self, request: Request, store: Path) -> Spoken | None:
        """The request's text by a random voice at a random pace and pitch."""
        if not request.text or request.language not in self.languages(request.split):
            return None
        voice = VOICES[int(request.rng.integers(len(VOICES)))]
        pace, pitch = request.rng.uniform(0.9, 1.15), request.rng.uniform(0.9, 1.12)
        with working_folder() as folder:
            file = folder / "spoken.wav"
            options = ["-voice", voice, "--setf", f"duration_stretch={pace:.3f}"]
            options += [
                "--setf",
                f"f0_shift={pitch:.3f}",
                "-t",
                f"{request.text} ",
                "-o",
                str(file),
            ]
            if run_program("flite", options, store=store, package="flite") is None:
                return None
            spoken = read_wav(file)
        if spoken is None:
            return None
        return Spoken(waveform=spoken[0], sample_rate_hz=spoken[1], voice=f"flite_{voice}")
