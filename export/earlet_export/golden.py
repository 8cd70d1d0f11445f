"""Asks the PyTorch original about the golden signals, for boards that have no torch to ask."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from earlet.golden import GoldenRecord, digest
from earlet_export.prove import Difference, difference
from earlet_export.run import Runner
from earlet_export.trace import Traced
from earlet_train.network import Network

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class GoldenAnswers:
    """The record that the bundle carries; `features`: the traced frontend against the original's.

    The first rung of the ladder: what the model sees, before it says anything.
    """

    record: GoldenRecord
    features: Difference


def golden_answers(network: Network, traced: Traced, signals: Mapping[str, Array]) -> GoldenAnswers:
    """Network in eval mode, its graphs, the golden signals -> what each of them said."""
    frontend = Runner.of(traced.frontend)
    logits, summaries, theirs, ours = [], [], [], []
    with torch.inference_mode():
        for wave in signals.values():
            features = network.features(torch.from_numpy(wave[None]))
            logits.append(network.model(features).numpy()[0])
            exact = features.numpy()
            summaries.append([exact.mean(dtype=np.float64), exact.std(dtype=np.float64)])
            theirs.append(exact)
            ours.append(frontend(wave[None]))
    return GoldenAnswers(
        record=GoldenRecord(
            names=tuple(signals),
            logits=np.stack(logits).astype(np.float32),
            feature_summary=np.array(summaries, dtype=np.float32),
            signals_sha256=digest(signals),
        ),
        features=difference(np.stack(theirs), np.stack(ours)),
    )
