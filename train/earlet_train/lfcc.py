"""LFCC of one recording of any length, in numpy: what the Gaussian mixtures are fitted to."""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from earlet.windows import Waveform
from earlet_train.frontends.lfcc import Lfcc, LfccSettings

Floats = NDArray[np.float32]


def lfcc(waveform: Waveform, *, sample_rate_hz: int) -> Floats:
    """Waveform [T] -> features [N, 60]: the 2019 definition of `earlet_train.frontends.lfcc`.

    A waveform shorter than one frame of 20 ms gives N = 0.
    """
    frontend = _frontend(sample_rate_hz)
    if frontend.dft.frames(len(waveform)) < 1:
        return np.zeros((0, 60), dtype=np.float32)
    with torch.inference_mode():
        features = frontend(torch.from_numpy(np.ascontiguousarray(waveform))[None])
    rows: Floats = features[0, 0].T.contiguous().numpy()
    return rows


@cache
def _frontend(sample_rate_hz: int) -> Lfcc:
    return Lfcc(LfccSettings(definition="2019"), sample_rate_hz=sample_rate_hz)
