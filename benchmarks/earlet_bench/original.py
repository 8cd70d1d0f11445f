"""Finds the PyTorch original without knowing PyTorch: whoever can load one has an entry point."""

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from earlet.errors import MissingExtra

GROUP = "earlet.originals"


class Original(Protocol):
    """The trained network, as `earlet.originals` entry points give it.

    `sha256`: of the checkpoint file that it came from.
    """

    @property
    def sha256(self) -> str:
        """Lower-case hexadecimal."""
        ...

    def logits(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Windows [B, T] -> logits [B, K]."""
        ...


Loader = Callable[..., Original]


def load_original(run: Path, *, threads: int, loader: Loader | None = None) -> Original:
    """The network that `earlet train` left in `run`. Raises MissingExtra, and what loading raises.

    `loader`: what `loader_of_originals` gave, where its import should not be part of a timing.
    """
    return (loader or loader_of_originals())(run, threads=threads)


def loader_of_originals() -> Loader:
    """The installed entry point, imported: this is where PyTorch comes in. Raises MissingExtra."""
    found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    if not found:
        raise MissingExtra(module="earlet_train", extra="train")
    try:
        loader: Loader = found[0].load()
    except ModuleNotFoundError as error:
        raise MissingExtra(module=error.name or "torch", extra="train") from None
    return loader
