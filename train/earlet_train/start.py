"""Puts weights that somebody trained before into a network that is about to be trained."""

import hashlib
from pathlib import Path

from earlet.errors import BundleError
from earlet_train.checkpoint import load_checkpoint
from earlet_train.network import Network
from earlet_train.recipe import Recipe
from earlet_train.released_weights import load_released


def start_from(weights: Path, network: Network, recipe: Recipe) -> str:
    """Fill `network` from a run folder or checkpoint of earlet, or from released weights.

    -> name and hash of the file, for the record. A run folder stands for its best epoch and must
    fit whole; released weights (`earlet_train.released_weights`) fill the model, and may leave its
    last layer fresh. Raises BundleError where the file cannot be read or does not fit.
    """
    if weights.is_dir():
        checkpoint = load_checkpoint(weights)
        try:
            network.load_state_dict(checkpoint.weights)
        except RuntimeError as error:
            raise BundleError(
                f"the weights of {weights} are those of the recipe {checkpoint.recipe.name!r} and "
                f"do not fit {recipe.source} ({str(error).splitlines()[-1].strip()}). Give a run "
                "of the same [frontend], [adapter] and [model]."
            ) from None
        return f"{checkpoint.path.name} sha256:{checkpoint.sha256}"
    load_released(weights, network.model, labels=recipe.labels)
    return f"{weights.name} sha256:{hashlib.sha256(weights.read_bytes()).hexdigest()}"
