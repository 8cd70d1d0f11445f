"""The shortcut gate: what level, DC, duration and edges alone tell of the label must be nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earlet.metrics import equal_error_rate

BAND = (0.42, 0.58)
# Fewer files than this of a class in eval, and chance alone leaves the narrow band now and then.
FEW_FILES = 500
WIDE_BAND = (0.35, 0.65)
EDGES_S = (0.01, 0.03, 0.1)

Labelled = Sequence[tuple[tuple[float, ...], bool]]


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What one classifier of trivial features reached in eval, and the band around chance."""

    classifier: str
    eer: float
    low: float
    high: float
    is_wide: bool


def edge_features(waveform: NDArray[np.float32]) -> tuple[float, ...]:
    """Waveform [T], 16 kHz -> level, DC, duration, and level and DC of both ends.

    No peak: a vocoder changes the phases and with them the crest factor (alone 35 to 40 % EER),
    which is the voice's trace and not the channel's.
    """
    sound = waveform.astype(np.float64)
    level_db = _db(float(np.mean(sound**2)))
    features = [level_db, float(sound.mean()), len(sound) / 16_000]
    for seconds in EDGES_S:
        samples = round(seconds * 16_000)
        for edge in (sound[:samples], sound[-samples:]):
            features += [_db(float(np.mean(edge**2))) - level_db, float(edge.mean())]
    return tuple(features)


def shortcut_gate(*, train: Labelled, eval_: Labelled) -> list[Gate]:
    """Trained on train, tried on eval: logistic regression and boosted trees."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = np.array([f for f, _ in train]), np.array([label for _, label in train])
    x_eval, y_eval = np.array([f for f, _ in eval_]), np.array([label for _, label in eval_])
    is_wide = min(int(y_eval.sum()), int((~y_eval).sum())) < FEW_FILES
    low, high = WIDE_BAND if is_wide else BAND
    gates = []
    for name, classifier in (
        ("logistic", make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))),
        (
            "boosted",
            HistGradientBoostingClassifier(
                max_iter=60, max_leaf_nodes=8, class_weight="balanced", random_state=0
            ),
        ),
    ):
        classifier.fit(x, y)
        scores = np.asarray(classifier.predict_proba(x_eval))[:, 1]
        eer = equal_error_rate(scores, y_eval).eer
        gates.append(Gate(classifier=name, eer=eer, low=low, high=high, is_wide=is_wide))
    return gates


def _db(power: float) -> float:
    return float(10 * np.log10(max(power, 1e-12)))
