"""DiffRes by its definition: float64, one clip, one frame after the other, jar by jar.

Nothing here is a closed form: the sand of a frame is poured until the jar is full, and what is left
goes into the next one.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def oracle(log_mel: Floats, weights: Floats, *, delta: float) -> Floats:
    """Log-mel [F, T], sigmoid scores [T] -> mean, maximum and encoding [3, F, t]."""
    bins, frames = log_mel.shape
    slots = whole_part(frames, delta)
    warp = pour(rescale(weights, slots=slots), slots=slots)
    out = np.zeros((3, bins, slots))
    for i in range(slots):
        for f in range(bins):
            total, largest, encoding = 0.0, 0.0, 0.0
            for j in np.flatnonzero(warp[i]):
                power = warp[i, j] * math.exp(log_mel[f, j])
                total += power
                largest = max(largest, power)
                encoding += warp[i, j] * wave(f, int(j), bins)
            out[:, f, i] = (
                math.log(max(total, 1e-12)),
                math.log(max(largest / (1 - delta), 1e-12)),
                encoding,
            )
    return out


def whole_part(frames: int, delta: float) -> int:
    """floor(T * (1 - delta)) in decimal thousandths, where delta is what it is written as."""
    return frames * (1000 - round(1000 * delta)) // 1000


def rescale(weights: Floats, *, slots: int) -> Floats:
    """Scores [T] -> [T], 0..1, sum `slots` where it can be."""
    scores = [slots * float(w) / float(sum(weights)) for w in weights]
    largest = max(scores)
    if largest >= 1:
        scores = [s / largest for s in scores]
        missing = slots - sum(scores)
        free = [j for j, s in enumerate(scores) if 1e-4 < s < 1 - 1e-4]
        if missing >= 1 and free:
            share = min(1.0, missing / sum(1 - scores[j] for j in free))
            for j in free:
                scores[j] += (1 - scores[j]) * share
    return np.array(scores)


def pour(scores: Floats, *, slots: int) -> Floats:
    """Scores [T] -> [t, T]: how much of each frame ended up in each jar of size 1."""
    warp = np.zeros((slots, len(scores)))
    jar, level = 0, 0.0
    for j, score in enumerate(scores):
        left = float(score)
        while left > 0 and jar < slots:
            poured = min(left, 1 - level)
            warp[jar, j] += poured
            level += poured
            left -= poured
            if level >= 1:
                jar, level = jar + 1, 0.0
    return warp


def wave(row: int, frame: int, bins: int) -> float:
    """One number of the sinusoidal encoding of Vaswani et al. (2017)."""
    angle = frame / 10_000 ** ((row - row % 2) / bins)
    return math.cos(angle) if row % 2 else math.sin(angle)


def guide_loss(log_mel: Floats, scores: Floats, *, delta: float, margin: float = 1e-6) -> float:
    """Log-mel [B, F, T], rescaled scores [B, T] -> the guide loss of the batch."""
    loudness = np.exp(log_mel).mean(axis=1)
    total = 0.0
    for clip, clip_scores in zip(loudness, scores, strict=True):
        blank = [
            float(s) for s, x in zip(clip_scores, clip, strict=True) if x < loudness.min() + margin
        ]
        if blank and sum(blank) / len(blank) > 0.5 * (1 - delta):
            total += sum(blank) / len(blank) / len(scores)
    return total
