"""How high a voice is, every few milliseconds: the one pitch tracker that all engines share."""

import numpy as np
from numpy.typing import NDArray

from earlet_train.corpus.engine import Samples
from earlet_train.corpus.world import world

SAMPLE_RATE_HZ = 16_000
FLOOR_HZ = 65.0
CEILING_HZ = 500.0


def pitch_hz(waveform: Samples, *, hop_s: float = 0.005) -> NDArray[np.float64]:
    """Waveform [T], 16 kHz -> pitch [N] in Hz, 0 where unvoiced; N = floor(T / hop) + 1.

    DIO with StoneMask refinement (Morise 2009, 2010): about 100 times real time.
    """
    x = waveform.astype(np.float64)
    rough, times = world().dio(
        x, SAMPLE_RATE_HZ, f0_floor=FLOOR_HZ, f0_ceil=CEILING_HZ, frame_period=1000 * hop_s
    )
    return np.asarray(world().stonemask(x, rough, times, SAMPLE_RATE_HZ))
