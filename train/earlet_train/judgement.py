"""What a network says of a whole split, and how good that is: by its EER, or of many labels.

With two labels a split is judged by the equal error rate. With more there is still one positive
label, whose log-odds against all others are the detector's score; beside it stands how often the
likeliest label is the right one, as the mean of the labels' own rates (macro accuracy), so that a
frequent label counts no more than a rare one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earlet.manifest import WindowPolicy
from earlet.metrics import equal_error_rate
from earlet.scoring import Logits, score_waveforms
from earlet.windows import Waveform, starts

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Judgement:
    """`raw` [R]: log-odds of the positive label. `classes` [R, K]: of more than two labels, the
    log-probability of each, pooled over a recording's windows as its score is; None of two.
    """

    raw: Floats
    classes: Floats | None = None

    def eer(self, is_positive: NDArray[np.bool_]) -> float:
        """Of the positive label against the rest, in 0..1."""
        return equal_error_rate(self.raw, is_positive).eer

    def loss(self, labels: NDArray[np.int64], is_positive: NDArray[np.bool_]) -> float:
        """Surprise at the right label [R] in nats, all labels weighing the same, as in the EER."""
        if self.classes is None:
            surprise = np.logaddexp(0, np.where(is_positive, -self.raw, self.raw))
            return float((surprise[is_positive].mean() + surprise[~is_positive].mean()) / 2)
        surprise = -self.classes[np.arange(len(labels)), labels]
        return float(np.mean([surprise[labels == label].mean() for label in np.unique(labels)]))

    def accuracy(self, labels: NDArray[np.int64]) -> float | None:
        """Macro accuracy in 0..1 of the likeliest label; None with two labels."""
        if self.classes is None:
            return None
        is_right = self.classes.argmax(axis=1) == labels
        return float(np.mean([is_right[labels == label].mean() for label in np.unique(labels)]))


def judge(
    recordings: Sequence[int],
    waveform: Callable[[int], Waveform],
    logits: Logits,
    *,
    policy: WindowPolicy,
    positive_index: int,
) -> Judgement:
    """Judge these recordings (numbers that `waveform` maps to [T]), in their order."""
    heard: list[NDArray[np.float32]] = []
    windows_of: list[int] = []

    def counted(index: int) -> Waveform:
        own = waveform(index)
        windows_of.append(1 if policy.pooling == "first" else len(starts(len(own), policy)))
        return own

    def kept(windows: NDArray[np.float32]) -> NDArray[np.float32]:
        answer = logits(windows)
        heard.append(answer)
        return answer

    raw = score_waveforms(
        map(counted, recordings), kept, policy=policy, positive_index=positive_index
    )
    if not heard or heard[0].shape[1] == 2:
        return Judgement(raw=raw)
    chances = _log_softmax(np.concatenate(heard))
    parts = np.split(chances, np.cumsum(windows_of)[:-1])
    # `first` leaves one window, whose mean it is too.
    pooled = [part.max(axis=0) if policy.pooling == "max" else part.mean(axis=0) for part in parts]
    return Judgement(raw=raw, classes=np.stack(pooled))


def _log_softmax(logits: NDArray[np.float32]) -> Floats:
    """Logits [S, K] -> log-probabilities [S, K]."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    answer: Floats = wide - np.log(np.exp(wide).sum(axis=1, keepdims=True))
    return answer
