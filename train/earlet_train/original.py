"""The PyTorch original of a bundle, numpy in and numpy out, for whoever compares with it."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from earlet.errors import UsageError
from earlet.manifest import Calibration, OperatingPoint, WindowPolicy
from earlet.scoring import Logits
from earlet_train.checkpoint import load_checkpoint
from earlet_train.network import numpy_logits


@dataclass(frozen=True, kw_only=True)
class Original:
    """A checkpoint's network with all that is needed to judge by it; no torch type in sight."""

    name: str
    version: str
    sha256: str
    labels: tuple[str, ...]
    positive: str
    sample_rate_hz: int
    window: WindowPolicy
    calibration: Calibration
    threshold: float
    operating_point: OperatingPoint
    network_logits: Logits = field(repr=False)

    @property
    def positive_index(self) -> int:
        """Index of the positive label in the logits."""
        return self.labels.index(self.positive)

    def logits(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Windows [B, window_samples] -> logits [B, K], in eval mode, in float32 throughout."""
        return self.network_logits(np.ascontiguousarray(windows, dtype=np.float32))


def load_original(path: Path, *, threads: int = 1) -> Original:
    """A run folder or checkpoint file -> Original, on the CPU. Raises BundleError.

    `threads` is set for the whole process: torch knows no other way.
    """
    if threads < 1:
        raise UsageError(f"threads must be at least 1, found {threads}.")
    torch.set_num_threads(threads)
    checkpoint = load_checkpoint(path)
    recipe, origin = checkpoint.recipe, checkpoint.origin
    return Original(
        name=recipe.name,
        version=recipe.version,
        sha256=checkpoint.sha256,
        labels=recipe.labels,
        positive=recipe.positive,
        sample_rate_hz=recipe.data.sample_rate_hz,
        window=recipe.data.window,
        calibration=origin.calibration,
        threshold=origin.threshold,
        operating_point=origin.operating_point,
        network_logits=numpy_logits(checkpoint.network()),
    )
