"""Builds the published networks in their published sizes and counts what they hold."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from earlet_train.adapters.frame_scorer import FrameScorer
from earlet_train.adapters.relevance import Relevance, RelevanceSettings
from earlet_train.models import MODELS


@dataclass(frozen=True, kw_only=True)
class Count:
    """A number of parameters: as published, or measured on the public code, and as built here."""

    what: str
    published: int
    counted: int

    @property
    def equal(self) -> bool:
        """True where they agree to the last parameter."""
        return self.published == self.counted


def published_counts() -> tuple[Count, ...]:
    """One row for each network whose size is known exactly."""
    networks: tuple[tuple[str, int, nn.Module], ...] = (
        ("Spec-ResNet, 1x1025x126", 176_130, model("spec-resnet", (1, 1025, 126))),
        ("MFCC-ResNet, 1x72x126", 312_994, model("mfcc-resnet", (1, 72, 126))),
        ("CQCC-ResNet, 1x90x469", 176_130, model("cqcc-resnet", (1, 90, 469))),
        ("VGG-like, 1x224x224", 306_738, model("vgg", (1, 224, 224))),
        ("Res2Net50 26w4s", 883_806, model("res2net", (1, 60, 400))),
        ("SE-Res2Net50 26w4s", 923_102, model("res2net", (1, 60, 400), se=16)),
        (
            "MPIF's base, [2,2,2,2] 26w8s",
            1_003_884,
            model("res2net", (1, 45, 600), blocks=(2, 2, 2, 2), scale=8),
        ),
        ("DiffRes scorer, 128 bands", 82_371, FrameScorer(128)),
        ("DiffRes scorer, 64 bands", 63_579, FrameScorer(64)),
        (
            "two relevance heads",
            2_302,
            Relevance(RelevanceSettings(heads=2), shape=(1, 80, 431)),
        ),
        ("FCN, 3x80x423, 10 labels", 11_780_329, model("fcn", (3, 80, 423), classes=10)),
    )
    return tuple(
        Count(what=what, published=published, counted=sum(p.numel() for p in net.parameters()))
        for what, published, net in networks
    )


def model(
    kind: str, shape: tuple[int, int, int], *, classes: int = 2, **settings: Any
) -> nn.Module:
    """A registered model with fresh weights; sizes other than the defaults by name."""
    torch.manual_seed(0)
    chosen = MODELS[kind]
    return chosen(chosen.Settings(**settings), shape=shape, classes=classes)
