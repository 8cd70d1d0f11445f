"""`earlet`, knowing one more model: for processes that a test starts by torchrun.

Every shipped model has batch norm, which sees the part of a batch that its process has; this one
has none, so several processes must do what one does, up to rounding.
"""

import sys
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from earlet.cli import run
from earlet_train.models import MODELS
from earlet_train.models.model import Model
from earlet_train.models.narrow_cnn import NarrowCnnSettings


class Plain(Model):
    """Mean over time, one layer, and a weight that is never used."""

    Settings = NarrowCnnSettings

    def __init__(self, settings: Any, *, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__(settings, shape=shape, classes=classes)
        self.hidden, self.unused = nn.Linear(shape[1], 8), nn.Linear(3, 3)
        self.output = nn.Linear(8, classes)

    def embedding(self, features: Tensor) -> Tensor:
        """Features [B, 1, F, N] -> [B, 8]."""
        embedding: Tensor = self.hidden(0.1 * features.mean(dim=(1, 3))).tanh()
        return embedding


MODELS["plain"] = Plain


def threads_of_gloo() -> list[str]:
    """Names of the threads by which processes talk (Linux)."""
    names = [file.read_text().strip() for file in Path("/proc/self/task").glob("*/comm")]
    return [name for name in names if "gloo" in name]


if __name__ == "__main__":
    code = run(sys.argv[1:])
    # A process that ends while such a thread runs is aborted, now and then.
    sys.exit(f"still running: {left}" if (left := threads_of_gloo()) else code)
