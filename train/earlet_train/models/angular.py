"""The last layer of a network that is trained by angles: |x| cos(theta), one angle per label.

A-Softmax (Liu et al., "SphereFace", CVPR 2017, arXiv 1704.08063) draws each label as a direction in
the space of embeddings. This is the layer that measures; the margin that makes training harder
than judging is a loss (`earlet_train.losses`), made from this layer's logits and its input.
"""

from torch import Tensor, nn
from torch.nn import functional as F


class AngularLinear(nn.Module):
    """Embedding [B, E] -> logits [B, K]: |x| cos(theta_k), theta_k the angle between x and label k.

    As many weights as a linear layer without bias; only their directions count.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.weight = nn.Linear(width, classes, bias=False).weight

    def forward(self, embedding: Tensor) -> Tensor:
        """[B, E] -> [B, K]."""
        return F.linear(embedding, F.normalize(self.weight, dim=1))
