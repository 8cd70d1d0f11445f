"""Audio detectors on small computers.

    import earlet

    detector = earlet.load()                  # the default detector, a name, a bundle, an .onnx
    verdict = detector(waveform, 16_000)      # numpy [T] -> Verdict

    stream = detector.stream()                # sound that goes on, in pieces of any size
    verdicts = stream.accept(samples, 48_000)

Importing this loads numpy and nothing heavier: onnxruntime comes with the first `load`, soundfile
with the first file read.
"""

from pathlib import Path

from earlet.bundle import find
from earlet.detector import Detector
from earlet.errors import (
    AudioError,
    BundleError,
    CorpusError,
    EarletError,
    MissingExtra,
    ParityError,
    RecipeError,
    UsageError,
)
from earlet.stream import Stream
from earlet.stream_group import Streams
from earlet.verdict import Verdict

__version__ = "0.1.0"

__all__ = [
    "AudioError",
    "BundleError",
    "CorpusError",
    "Detector",
    "EarletError",
    "MissingExtra",
    "ParityError",
    "RecipeError",
    "Stream",
    "Streams",
    "UsageError",
    "Verdict",
    "__version__",
    "load",
]


def load(
    model: str | Path | None = None, *, precision: str | None = None, threads: int = 1
) -> Detector:
    """A detector, ready to judge.

    `model`: None for the default one that came with earlet, the name of another that did, a bundle
    folder, or one of its `.onnx` files. `precision`: `int8`, `fp32`, or None for the bundle's own
    choice. Raises BundleError where there is none or it is damaged, UsageError on a precision that
    it lacks.
    """
    return Detector(find(model), precision=precision, threads=threads)
