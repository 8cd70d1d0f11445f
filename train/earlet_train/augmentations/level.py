"""Keeps changed sound inside full scale without clipping it."""

import numpy as np

from earlet_train.augmentations.augmentation import Floats


def within_full_scale(waveform: Floats) -> Floats:
    """Waveform [T] -> waveform [T], as a whole made quieter where its peak passes 1."""
    peak = float(np.abs(waveform).max(initial=0.0))
    return (waveform / np.float32(peak)).astype(np.float32) if peak > 1 else waveform
