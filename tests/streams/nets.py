"""Small networks of every kind of layer that streams, and a way to run a graph as a stream."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from earlet.streaming import NEXT
from earlet_export.quantize import finished
from earlet_export.run import Runner
from earlet_export.streaming.plan import Plan
from earlet_export.streaming.weave import weave
from earlet_export.trace import Traced, trace

Array = NDArray[np.float32]

CHANNELS, BINS = 2, 6


class Picture(nn.Module):
    """A network whose features are the waveform itself, as a picture [B, C, F, N]."""

    def __init__(self, model: nn.Module, *, frames: int, channels: int = CHANNELS) -> None:
        super().__init__()
        self.model = model
        self.shape = (channels, CHANNELS * BINS // channels, frames)

    def features(self, waveform: Tensor) -> Tensor:
        return waveform.reshape(-1, *self.shape)


class Residual(nn.Module):
    """A branch of two convolutions, and the picture itself cut to what they leave of it."""

    def __init__(self, width: int, *, kernel: int, dilation: int, activation: nn.Module) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(width, width, (3, kernel), padding=(1, 0), dilation=(1, dilation)),
            nn.BatchNorm2d(width),
            activation,
            nn.Conv2d(width, width, (1, 2)),
        )
        self.lost = (kernel - 1) * dilation + 1

    def forward(self, x: Tensor) -> Tensor:
        left = self.lost // 2
        skipped = x[..., left : x.shape[-1] - (self.lost - left)]
        summed: Tensor = torch.relu(self.branch(x) + skipped)
        return summed


class Branches(nn.Module):
    """Two kernels of different reach side by side, joined where both have an answer."""

    def __init__(self, width: int, *, narrow: int, wide: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(width, width, (3, narrow), padding=(1, 0))
        self.wide = nn.Conv2d(width, width, (1, wide))
        self.fewer = wide - narrow

    def forward(self, x: Tensor) -> Tensor:
        narrow, wide = self.narrow(x), self.wide(x)
        return torch.cat([narrow[..., self.fewer :], wide], dim=1)


class Gate(nn.Module):
    """Each moment weighed by its own mean over the other axes: nothing looks along time."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x.mean(dim=(1, 2), keepdim=True))


class Slope(nn.Module):
    """x[n + 2] - x[n], as deltas are made."""

    def forward(self, x: Tensor) -> Tensor:
        return x[..., 2:] - x[..., :-2]


class Moments(nn.Module):
    """Channels and bins as one axis, moments before it: a matrix for each moment alike."""

    def __init__(self, width: int, bins: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width * bins, 8)

    def forward(self, x: Tensor) -> Tensor:
        rows: Tensor = self.layer(x.permute(0, 3, 1, 2).flatten(2))
        return rows.transpose(1, 2)[:, :, None]


class Head(nn.Module):
    """A window's many moments -> logits, by one of the ways of the field."""

    def __init__(self, kind: str, width: int, bins: int, frames: int) -> None:
        super().__init__()
        self.kind = kind
        size = {"mean+std": 2, "flat": bins * frames}.get(kind, 1) * width
        self.attention = nn.Conv1d(width, 1, 1)
        self.output = nn.Linear(size, 2)

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "flat":
            logits: Tensor = self.output(x.flatten(1))
            return logits
        columns = x.mean(dim=2)
        if self.kind == "mean":
            pooled = columns.mean(dim=2)
        elif self.kind == "max":
            pooled = columns.amax(dim=2)
        elif self.kind == "attention":
            pooled = (columns * torch.softmax(self.attention(columns), dim=2)).sum(dim=2)
        else:
            mean = columns.mean(dim=2)
            spread = (columns - mean[:, :, None]).square().mean(dim=2).clamp(min=1e-6).sqrt()
            pooled = torch.cat([mean, spread], dim=1)
        logits = self.output(pooled)
        return logits


def with_head(body: nn.Module, kind: str, *, frames: int) -> nn.Module:
    """A body [B, C, F, N] -> [B, C', F', N'] with a head that fits it; random norms; in eval."""
    body.eval()
    with torch.no_grad():
        shape = body(torch.zeros(1, CHANNELS, BINS, frames)).shape
    model = nn.Sequential(body, Head(kind, shape[1], shape[2], shape[3]))
    generator = torch.Generator().manual_seed(1)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean = 0.3 * torch.randn(part.num_features, generator=generator)
            part.running_var = 0.5 + torch.rand(part.num_features, generator=generator)
    return model.eval()


def traced(model: nn.Module, *, frames: int) -> Traced:
    """A model alone as a graph of windows of so many frames."""
    return trace(Picture(model, frames=frames).eval(), window_samples=CHANNELS * BINS * frames)


def as_stream(model: onnx.ModelProto, plan: Plan, features: Array, *, chunks: int) -> list[Array]:
    """Features [1, C, F, N] in chunks of `chunks` strides -> logits after each chunk, in order."""
    chunk_frames = chunks * plan.stride
    span = -(-plan.span // plan.stride) * plan.stride
    woven = weave(model, plan, chunk_frames=chunk_frames, span=span)
    session = onnxruntime.InferenceSession(
        finished(woven.model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    states: dict[str, NDArray[Any]] = {
        s.name: np.full((1, *s.shape), s.initial, s.dtype) for s in woven.states
    }
    names = [output.name for output in session.get_outputs()]
    answers = []
    for start in range(0, features.shape[-1] - chunk_frames + 1, chunk_frames):
        new = np.ascontiguousarray(features[..., start : start + chunk_frames])
        found = dict(zip(names, session.run(None, {"features": new, **states}), strict=True))
        states = {name: found[name + NEXT] for name in states}
        answers.append(found["logits"])
    return answers


def windows_of(
    offline: Runner, plan: Plan, features: Array, *, frames: int, chunks: int, count: int
) -> dict[int, Array]:
    """Number of a chunk -> the offline answer to the window that its answer is about."""
    span = -(-plan.span // plan.stride) * plan.stride
    starts = {q: (q + 1) * chunks * plan.stride - span for q in range(count)}
    return {
        q: offline(np.ascontiguousarray(features[..., at : at + frames]))
        for q, at in starts.items()
        if at >= 0
    }
