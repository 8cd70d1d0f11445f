"""Lifts the upper half of the spectrum before the transform, as telephony once did."""

from typing import Literal

import torch
from torch import Tensor

FirstSample = Literal["kept", "dropped"]


def pre_emphasised(waveform: Tensor, coefficient: float, *, first: FirstSample = "kept") -> Tensor:
    """Waveform [B, T] -> x[n] - coefficient * x[n - 1]; coefficient 0: unchanged.

    The first sample has none before it. `kept`: it stays as it is (as published), and so a
    window's first frame is not the same frame in the middle of a sound; `dropped`: [B, T - 1].
    """
    if not coefficient:
        return waveform
    # Of a sound in double precision too: the exporter stores numbers in the code as float32.
    coefficient = float(torch.tensor(coefficient, dtype=torch.float32))
    if first == "dropped":
        return waveform[:, 1:] - coefficient * waveform[:, :-1]
    return torch.cat([waveform[:, :1], waveform[:, 1:] - coefficient * waveform[:, :-1]], dim=1)


def keeps_first(coefficient: float, first: FirstSample) -> str:
    """Why a window's first frame is not what a stream has there, and the remedy; empty: it is."""
    if not coefficient or first == "dropped":
        return ""
    return "the pre-emphasis leaves a window's first sample as it is: set first_sample to 'dropped'"
