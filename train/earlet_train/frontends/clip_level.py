"""What is measured on a whole clip, each clip of a batch alone: its peak, and its loudest bin."""

from torch import Tensor

# A clip below this peak (-100 dBFS) is raised by no more than this: silence stays silence.
SMALLEST_PEAK = 1e-5


def peak_normalised(waveform: Tensor) -> Tensor:
    """Waveform [B, T] -> [B, T], each clip scaled to a largest magnitude of 1."""
    peak = waveform.abs().amax(dim=1, keepdim=True)
    return waveform / peak.clamp(min=SMALLEST_PEAK)


def within_range(levels: Tensor, *, span: float) -> Tensor:
    """Logarithmic levels [B, F, N] -> [B, F, N], none more than `span` below its clip's highest.

    What librosa calls top_db, here in the unit of the levels; 0 = no limit.
    """
    if not span:
        return levels
    return levels.maximum(levels.amax(dim=(1, 2), keepdim=True) - span)
