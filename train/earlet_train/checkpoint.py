"""A trained network in one file: weights, the recipe verbatim, and where they came from.

The file is safetensors: numbers and text, nothing that runs when it is read. A run folder, as
`earlet train` writes it, holds

    best.safetensors     the epoch with the lowest dev EER
    last.safetensors     the latest epoch
    resume.pt            what `--resume` goes on from
    run.json             recipe, seed, versions, history, times
    learning_curve.png
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import safetensors.torch
from pydantic import TypeAdapter
from safetensors import SafetensorError
from torch import Tensor

from earlet.errors import BundleError
from earlet.manifest import Calibration, OperatingPoint
from earlet_train.atomic import write_beside
from earlet_train.network import Network, build_network
from earlet_train.recipe import Recipe, parse_recipe

BEST, LAST = "best.safetensors", "last.safetensors"
# One key only: safetensors writes several in any order, and the file would have two hashes.
METADATA_KEY = "earlet.checkpoint"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where the weights came from. Rates in 0..1; `threshold` on the calibrated score.

    `corpus_sha256`: of the protocols that were trained on, in the order train, dev.
    """

    epoch: int
    seed: int
    corpus: str
    corpus_sha256: str
    train_trials: int
    dev_trials: int
    dev_eer: float
    threshold: float
    operating_point: OperatingPoint
    calibration: Calibration
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Held:
    """The text that rides beside the weights: the recipe verbatim, and their origin."""

    recipe: str
    origin: Origin


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One trained network. `path` is the file it was read from, `sha256` that file's."""

    path: Path
    sha256: str
    recipe: Recipe
    origin: Origin
    weights: dict[str, Tensor] = field(repr=False)

    def network(self) -> Network:
        """New network with these weights, in eval mode. Raises BundleError if they do not fit."""
        network = build_network(self.recipe)
        try:
            network.load_state_dict(self.weights)
        except RuntimeError as error:
            raise BundleError(
                f"{self.path}: its weights do not fit the network of its recipe "
                f"({str(error).splitlines()[-1].strip()}). It was written by another version of "
                "earlet: train again, or install that version."
            ) from None
        return network.eval()


def load_checkpoint(path: Path) -> Checkpoint:
    """A run folder (its best epoch) or a checkpoint file -> Checkpoint. Raises BundleError."""
    file = path / BEST if path.is_dir() else path
    if not file.is_file():
        raise BundleError(
            f"there is no checkpoint {file}. Train one with: earlet train demo --corpus DIR "
            f"--out {path}"
        )
    content = file.read_bytes()
    try:
        metadata, weights = _metadata(content), safetensors.torch.load(content)
        held = TypeAdapter(Held).validate_json(metadata[METADATA_KEY], strict=True)
    except (SafetensorError, ValueError, KeyError) as error:
        raise BundleError(
            f"{file} is not a checkpoint of this earlet, or is damaged "
            f"({str(error).splitlines()[0]}). Train it again, or copy it again from where it was "
            "trained."
        ) from None
    return Checkpoint(
        path=file,
        sha256=hashlib.sha256(content).hexdigest(),
        recipe=parse_recipe(held.recipe, source=f"the recipe inside {file}"),
        origin=held.origin,
        weights=weights,
    )


def save_checkpoint(
    path: Path, *, weights: dict[str, Tensor], recipe: Recipe, origin: Origin
) -> None:
    """Write one checkpoint, whole or not at all. The same content gives the same bytes."""
    text = json.dumps(dataclasses.asdict(Held(recipe=recipe.text, origin=origin)), sort_keys=True)
    plain = {name: value.detach().cpu().contiguous() for name, value in sorted(weights.items())}
    content = safetensors.torch.save(plain, metadata={METADATA_KEY: text})
    write_beside(path, lambda file: file.write_bytes(content))


def _metadata(content: bytes) -> dict[str, str]:
    """The text that rides in a safetensors file: eight bytes of length, then a JSON header."""
    length = int.from_bytes(content[:8], "little")
    if length > len(content) - 8:
        raise ValueError("its header is longer than the file")
    metadata: dict[str, str] = json.loads(content[8 : 8 + length])["__metadata__"]
    return metadata
