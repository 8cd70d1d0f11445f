"""The graph layers of AASIST: nodes that look at each other, and pools that keep the best of them.

An edge's strength is a small network's judgement of the product of its two nodes, so it is the
same both ways: with projection P, vector w and temperature h

    strength(i, j) = w . tanh(P(x_i * x_j)) / h,   attention(i, .) = softmax over j

Jung et al., AASIST (arXiv 2110.01200), after Tak et al., "Graph attention networks for
anti-spoofing" (arXiv 2104.03654). Written from the description. D nodes of width V or W.
"""

from fractions import Fraction

import torch
from torch import Tensor, nn

INPUT_DROPOUT, SCORE_DROPOUT = 0.2, 0.3


class GraphAttention(nn.Module):
    """Nodes [B, D, V] -> [B, D, W]: each node and what it attends to, normed, SELU."""

    def __init__(self, width: int, wider: int, *, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.edge = nn.Linear(width, wider)
        self.weight = direction(wider)
        self.attended = nn.Linear(width, wider)
        self.own = nn.Linear(width, wider)
        self.norm = nn.BatchNorm1d(wider)
        self.dropout = nn.Dropout(INPUT_DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """Nodes [B, D, V] -> [B, D, W]."""
        x = self.dropout(x)
        strength = torch.tanh(self.edge(products(x))) @ self.weight
        attention = torch.softmax(strength.squeeze(-1) / self.temperature, dim=-1)
        return normed(self.attended(attention @ x) + self.own(x), self.norm)


class AttentionOfKinds(nn.Module):
    """Two kinds of nodes [B, D1, V], [B, D2, V] and a master [1 or B, 1, V] -> all of width W.

    Edges within the first kind, within the second and between the kinds have a vector w each. The
    master attends to all nodes; none attends to it.
    """

    def __init__(self, width: int, wider: int, *, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.kind_1 = nn.Linear(width, width)
        self.kind_2 = nn.Linear(width, width)
        self.edge = nn.Linear(width, wider)
        self.edge_master = nn.Linear(width, wider)
        self.weight_11 = direction(wider)
        self.weight_22 = direction(wider)
        self.weight_12 = direction(wider)
        self.weight_master = direction(wider)
        self.attended = nn.Linear(width, wider)
        self.own = nn.Linear(width, wider)
        self.attended_master = nn.Linear(width, wider)
        self.own_master = nn.Linear(width, wider)
        self.norm = nn.BatchNorm1d(wider)
        self.dropout = nn.Dropout(INPUT_DROPOUT)

    def forward(self, one: Tensor, two: Tensor, master: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """-> the first kind [B, D1, W], the second [B, D2, W], the master [B, 1, W]."""
        ones = one.shape[1]
        x = self.dropout(torch.cat([self.kind_1(one), self.kind_2(two)], dim=1))
        edges = torch.tanh(self.edge(products(x)))
        of_one = torch.cat(
            [edges[:, :ones, :ones] @ self.weight_11, edges[:, :ones, ones:] @ self.weight_12], 2
        )
        of_two = torch.cat(
            [edges[:, ones:, :ones] @ self.weight_12, edges[:, ones:, ones:] @ self.weight_22], 2
        )
        strength = torch.cat([of_one, of_two], dim=1).squeeze(-1)
        attention = torch.softmax(strength / self.temperature, dim=-1)
        master = self._master(x, master)
        x = normed(self.attended(attention @ x) + self.own(x), self.norm)
        return x[:, :ones], x[:, ones:], master

    def _master(self, x: Tensor, master: Tensor) -> Tensor:
        strength = torch.tanh(self.edge_master(x * master)) @ self.weight_master
        attention = torch.softmax(strength / self.temperature, dim=1).transpose(1, 2)
        updated: Tensor = self.attended_master(attention @ x) + self.own_master(master)
        return updated


class GraphPool(nn.Module):
    """Nodes [B, D, V] -> the best [B, D', V], each times its score, best first.

    D' = max(1, floor(keep D)).
    """

    def __init__(self, width: int, *, keep: float) -> None:
        super().__init__()
        self.share = Fraction(keep).limit_denominator(1000)
        self.score = nn.Linear(width, 1)
        self.dropout = nn.Dropout(SCORE_DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """Nodes [B, D, V] -> [B, D', V]."""
        scores = torch.sigmoid(self.score(self.dropout(x)))
        # In integers, and with torch's own maximum: where the number of nodes is open, max(1, int(
        # D * keep)) becomes a constant of the graph, or a product that ONNX rounds otherwise.
        kept = x.shape[1] * self.share.numerator // self.share.denominator
        kept = torch.sym_max(1, kept)  # type: ignore[no-untyped-call]
        best = scores.topk(kept, dim=1).indices
        return torch.gather(x * scores, 1, best.expand(-1, -1, x.shape[2]))


def products(x: Tensor) -> Tensor:
    """Nodes [B, D, V] -> of each pair the product [B, D, D, V]."""
    return x.unsqueeze(2) * x.unsqueeze(1)


def normed(x: Tensor, norm: nn.BatchNorm1d) -> Tensor:
    """Nodes [B, D, W] -> each channel normed over batch and nodes, SELU."""
    return nn.functional.selu(norm(x.transpose(1, 2)).transpose(1, 2))


def direction(width: int) -> nn.Parameter:
    """A vector [W, 1] to learn."""
    vector = nn.Parameter(torch.empty(width, 1))
    nn.init.xavier_normal_(vector)
    return vector
