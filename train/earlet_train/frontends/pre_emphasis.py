"""Lifts the upper half of the spectrum before the transform, as telephony once did."""

import torch
from torch import Tensor


def pre_emphasised(waveform: Tensor, coefficient: float) -> Tensor:
    """Waveform [B, T] -> x[n] - coefficient * x[n - 1], the first sample as it is; 0: unchanged."""
    if not coefficient:
        return waveform
    return torch.cat([waveform[:, :1], waveform[:, 1:] - coefficient * waveform[:, :-1]], dim=1)
