"""How features change from frame to frame: the slopes that go beside the values ("deltas").

Published systems mean three different things by a delta. All three are weighted sums of the
differences between a later and an equally much earlier frame,

    slope[n] = sum_k weights[k - 1] * (x[n + k] - x[n - k]),   k = 1 .. reach,

and differ in weights and in what they do where a neighbour is missing. Slices, multiplications and
concatenations only, any leading axes, any number of frames that the reach allows.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def difference(x: Tensor) -> Tensor:
    """Features [..., F, N] -> x[n + 1] - x[n - 1] [..., F, N], the edge frames repeated.

    Source: the LFCC baselines of ASVspoof 2019 and 2021 (not halved there either).
    """
    return valid_slope(edges_repeated(x, 1), weights=(1.0,))


def regression(x: Tensor, *, reach: int = 1) -> Tensor:
    """Features [..., F, N] -> slope of the least-squares line through 2 * reach + 1 frames.

    The edge frames are repeated. Source: the HTK Book, "Delta, Acceleration and Third Differential
    Coefficients"; reach 1 is the regression over three frames.
    """
    return valid_slope(edges_repeated(x, reach), weights=regression_weights(reach))


def valid_regression(x: Tensor, *, reach: int = 2) -> Tensor:
    """Features [..., F, N] -> the same slope where all frames are there [..., F, N - 2 * reach].

    Reach 2 is (x[n + 1] - x[n - 1]) / 10 + (x[n + 2] - x[n - 2]) / 5, as in the acoustic scene
    system of Dutta, Agrawal, Ganapathy (WASPAA 2021).
    """
    return valid_slope(x, weights=regression_weights(reach))


def savitzky_golay(x: Tensor, *, width: int = 9) -> Tensor:
    """Features [..., F, N] -> slope of a line fitted to `width` frames, N >= width (odd).

    The first and last width // 2 frames take the slope of the line through the outermost `width`
    frames. So does scipy.signal.savgol_filter(deriv=1, polyorder=1, mode="interp"), which is
    librosa.feature.delta: a line's slope is the same at each of its points.
    """
    if width % 2 == 0:
        raise ValueError(f"the width of a Savitzky-Golay slope must be odd, found {width}")
    reach = width // 2
    return edges_repeated(valid_slope(x, weights=regression_weights(reach)), reach)


def with_slopes(x: Tensor, slope: Callable[[Tensor], Tensor], *, orders: int = 2) -> Tensor:
    """Features [..., F, N] -> values, slopes, slopes of slopes ... [..., (1 + orders) * F, N'].

    Where the slope leaves out frames at the edges, the lower orders lose the same frames.
    """
    parts = [x]
    for _ in range(orders):
        parts.append(slope(parts[-1]))
    frames = parts[-1].shape[-1]
    starts = [(part.shape[-1] - frames) // 2 for part in parts]
    kept = [part[..., start : start + frames] for part, start in zip(parts, starts, strict=True)]
    return torch.cat(kept, dim=-2)


def valid_slope(x: Tensor, *, weights: Sequence[float]) -> Tensor:
    """Features [..., N] -> the module's sum where all frames are there [..., N - 2 * reach]."""
    reach, frames = len(weights), x.shape[-1]
    inner = frames - 2 * reach
    if reach < 1 or inner < 1:
        raise ValueError(
            f"a slope over {2 * reach + 1} frames needs as many of them, found "
            f"{frames}: make the window longer or the hop shorter"
        )
    later = [x[..., reach + k : reach + k + inner] for k in range(1, reach + 1)]
    earlier = [x[..., reach - k : reach - k + inner] for k in range(1, reach + 1)]
    parts = [w * (b - a) for w, a, b in zip(weights, earlier, later, strict=True)]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def edges_repeated(x: Tensor, count: int) -> Tensor:
    """Features [..., N] -> [..., N + 2 * count], each edge frame `count` times more."""
    return torch.cat([x[..., :1]] * count + [x] + [x[..., -1:]] * count, dim=-1)


def regression_weights(reach: int) -> tuple[float, ...]:
    """-> k / (2 * sum k^2) for k = 1 .. reach: a ramp of 1 per frame has the slope 1."""
    scale = 2 * sum(k * k for k in range(1, reach + 1))
    return tuple(k / scale for k in range(1, reach + 1))
