"""Which recordings an epoch deals, in which order: all of them, or evenly from every class.

Only ever applied to the train split, after the splits were made: so no copy of a recording, changed
or not, can stand on both sides. (The project that published "multiplying" does not say in which
order it did the two; made before the split, copies leak into what they are judged on.)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earlet.errors import CorpusError
from earlet_train.training import Training

Ints = NDArray[np.int64]
# Stands where an epoch's number stands, for what is drawn once for all epochs.
ONCE = 2**32 - 1


@dataclass(frozen=True, kw_only=True)
class Deal:
    """One epoch: `indices` [D] into the split, and `copies` [D], 0 for the recording itself.

    A recording's first repetition is its copy 1, the next its copy 2: every one is augmented
    differently, and some augmentations are for copies only.
    """

    indices: Ints
    copies: Ints


def deal(labels: Ints, training: Training, *, classes: int, seed: int, epoch: int) -> Deal:
    """Labels [R] of the train split -> what epoch number `epoch` (from 0) looks at."""
    rng = np.random.default_rng([seed, epoch])
    if training.balance == "none":
        order = rng.permutation(len(labels))
        return Deal(indices=order, copies=np.zeros_like(order))
    draw = rng if training.balance_draw == "epoch" else np.random.default_rng([seed, ONCE])
    indices, copies = [], []
    for label, wanted in enumerate(dealt_counts(labels, training, classes=classes)):
        own = np.flatnonzero(labels == label)
        turns, rest = divmod(int(wanted), max(len(own), 1))
        drawn = np.sort(draw.permutation(own)[:rest])
        indices.append(np.concatenate([np.tile(own, turns), drawn]))
        copies.append(np.concatenate([np.repeat(np.arange(turns), len(own)), drawn * 0 + turns]))
    order = rng.permutation(sum(map(len, indices)))
    return Deal(indices=np.concatenate(indices)[order], copies=np.concatenate(copies)[order])


def dealt_counts(labels: Ints, training: Training, *, classes: int) -> Ints:
    """Labels [R] -> how many recordings of each class [K] one epoch deals, copies included.

    Raises CorpusError where a class that is to be balanced has none.
    """
    held = np.bincount(labels, minlength=classes)
    if training.balance == "none":
        return held
    if not held.all():
        raise CorpusError(
            f"[training] balance needs recordings of every label in the train split; it has "
            f"{', '.join(map(str, held))}, in the order of the labels. Set balance to 'none', or "
            "train on more."
        )
    if training.balance == "multiply":
        return np.maximum(held, training.balance_to or held.max())
    return np.minimum(held, training.balance_to or held.min())
