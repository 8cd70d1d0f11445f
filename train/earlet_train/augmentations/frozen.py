"""Runs a transform of audiomentations with settings that we drew, so that it draws nothing."""

from typing import Any

import numpy as np

from earlet_train.augmentations.augmentation import Floats


def transformed(
    transform: Any, waveform: Floats, *, sample_rate_hz: int, **parameters: float
) -> Floats:
    """Waveform [T] -> waveform [T'] through a new `transform` with exactly these `parameters`.

    Left alone, audiomentations draws from the generators of `random` and `numpy.random`, which
    every thread of the process shares. Frozen parameters are its own way to say: draw nothing. The
    transform must not be shared between threads either, because it keeps them.
    """
    transform.parameters = {"should_apply": True, **parameters}
    transform.freeze_parameters()
    # A copy: the stretcher refuses arrays that it could not write to (and leaves them alone).
    heard = transform(waveform.copy(), sample_rate=sample_rate_hz)
    return np.ascontiguousarray(heard, dtype=np.float32)
