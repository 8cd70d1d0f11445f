"""The tapers that frames are multiplied with before their spectrum is taken."""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Window = Literal["hann", "hamming", "blackman", "povey", "rectangular"]
Sampling = Literal["periodic", "symmetric"]


def window_function(
    name: Window, n: int, *, sampling: Sampling = "periodic"
) -> NDArray[np.float64]:
    """-> window [n] in float64, largest value 1 or a hair below.

    `periodic` (DFT-even, what torch.stft and librosa take): the first n of n + 1 symmetric points.
    `symmetric`: first and last point equal, as numpy's and MATLAB's. `povey` is Kaldi's: the Hann
    window to the power of 0.85.
    """
    phase = 2 * math.pi * np.arange(n) / (n if sampling == "periodic" else n - 1)
    weights = _COSINES["hann" if name == "povey" else name]
    values = np.asarray(sum((-1) ** i * a * np.cos(i * phase) for i, a in enumerate(weights)))
    # The cosines cancel at the ends to within rounding, which may leave -1e-17.
    return values.clip(min=0) ** 0.85 if name == "povey" else values


_COSINES = {
    "rectangular": (1.0,),
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
}
