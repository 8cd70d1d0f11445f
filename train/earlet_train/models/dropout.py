"""Dropout that draws its mask 64 elements at a time where it can.

PyTorch draws a mask on a processor one element at a time on one thread, 14 ns each: a third of the
training time of a network as wide as Spec-ResNet. Half of the elements stay at p = 0.5, which is
one random bit each.
"""

import numpy as np
import torch
from torch import Tensor, nn


class Dropout(nn.Dropout):
    """[...] -> the same shape: in training each element is zero with probability p, else / (1-p).

    Like `torch.nn.Dropout` in all but the order of the random numbers; on a processor with
    p = 0.5 the bits come from numpy, seeded by torch's generator.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[...] -> [...]."""
        if not self.training or self.p != 0.5 or x.device.type != "cpu":
            return super().forward(x)
        return x * mask_of_half(x)


def mask_of_half(x: Tensor) -> Tensor:
    """[...] -> 0 or 2 for each element, in x's type and memory layout."""
    seed = int(torch.randint(2**62, (1,)))
    drawn = np.random.default_rng(seed).bytes(-(-x.numel() // 8))
    bits = np.unpackbits(np.frombuffer(drawn, dtype=np.uint8), count=x.numel())
    # In x's own layout (channels last or not), whose elements fill their memory without gaps.
    mask = torch.empty_like(x.detach(), memory_format=torch.preserve_format)
    mask.as_strided((x.numel(),), (1,)).copy_(torch.from_numpy(bits))
    return mask.mul_(2)
