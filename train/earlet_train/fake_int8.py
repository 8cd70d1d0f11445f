"""Lets a model feel int8 while it is trained: rounds what the exporter will round, and passes on.

Rounded are the weights of every convolution and linear layer (7 bits with sign, a scale per output
channel), what goes into it and what comes out of it (8 bits, one scale), as in `earlet export`; the
last layer and the modules that the recipe excludes stay as they are. A gradient passes through the
rounding as if it were not there (the straight-through estimator of Bengio et al., 2013, arXiv
1308.3432), so the weights learn to stand where rounding hurts least.

A batch norm behind a convolution is folded into it at export. With its statistics frozen it only
scales each output channel, and a scale per channel rounds the same way before it as after; so the
convolution's own weights are rounded, and its output behind the norm and the ReLU.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from earlet_train.models.model import Model

_LAYERS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.Linear)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
# The exporter rounds behind these, and not between them and the convolution before.
_ABSORBED = (*_NORMS, nn.ReLU, nn.ReLU6, nn.Dropout, nn.Dropout2d, nn.Identity)
# 7 bits with sign, as the exporter stores weights; 8 bits without, as it computes with.
WEIGHT_STEPS, ACTIVATION_STEPS = 64, 255


@dataclass
class Span:
    """The smallest and largest value seen at one place; 0 always lies between them."""

    low: float = 0.0
    high: float = 0.0

    def widen(self, values: Tensor) -> None:
        """Take in these values too."""
        low, high = torch.aminmax(values.detach())
        self.low, self.high = min(self.low, float(low)), max(self.high, float(high))


class FakeInt8:
    """Hooks on a model. `mode` says what they do: `off`, `observe` ranges, or `round` to them.

    `spans`: by module and side (`body.3 in`), shared where two copies of a model are to round
    alike. The model's own state is not touched: no buffer, no renamed weight.
    """

    def __init__(
        self,
        model: Model,
        example: Tensor,
        *,
        exclude: Sequence[str] = (),
        spans: dict[str, Span] | None = None,
    ) -> None:
        self.model = model
        self.mode: Literal["off", "observe", "round"] = "off"
        self.spans: dict[str, Span] = {} if spans is None else spans
        apart = ("output", *exclude)
        names = {module: name for name, module in model.named_modules()}
        self.layers = {
            name: module
            for module, name in names.items()
            if isinstance(module, _LAYERS)
            and "weight" in module._parameters
            and not any(name == a or name.startswith(f"{a}.") for a in apart)
        }
        ends = _ends(model, example, list(self.layers.values()))
        for name, layer in self.layers.items():
            layer.register_forward_pre_hook(partial(self._enter, name))
            # Also after an error, or the rounded weights would stay.
            layer.register_forward_hook(self._leave, always_call=True)
            if layer in ends:
                ends[layer].register_forward_hook(partial(self._behind, name))

    @contextlib.contextmanager
    def set_to(self, mode: Literal["off", "observe", "round"]) -> Iterator[None]:
        """Inside, the hooks do this."""
        before, self.mode = self.mode, mode
        try:
            yield
        finally:
            self.mode = before

    def learn(self, run: Callable[[], object]) -> None:
        """Forget all ranges and learn them anew from whatever `run` puts through the model."""
        self.spans.clear()
        was_training = self.model.training
        self.model.eval()
        with self.set_to("observe"), torch.no_grad():
            run()
        self.model.train(was_training)

    def freeze_norms(self) -> None:
        """Let batch norms use their statistics, as they will once folded; call it after train()."""
        for module in self.model.modules():
            if isinstance(module, _NORMS):
                module.eval()

    def _enter(self, name: str, layer: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
        """Before a layer runs: round what goes in, and its weights."""
        rounded = self._rounded(f"{name} in", inputs[0])
        if self.mode == "round":
            # Found before the parameter of that name, which stays where it is.
            layer.__dict__["weight"] = rounded_weight(
                layer._parameters["weight"],
                axis=1 if isinstance(layer, (nn.ConvTranspose1d, nn.ConvTranspose2d)) else 0,
            )
        return (rounded, *inputs[1:])

    def _leave(self, layer: nn.Module, _inputs: Any, _output: Any) -> None:
        layer.__dict__.pop("weight", None)

    def _behind(self, name: str, _module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        return self._rounded(f"{name} out", output)

    def _rounded(self, place: str, values: Tensor) -> Tensor:
        """Values as they are, or rounded to the range of that place, which they may widen."""
        if self.mode == "off":
            return values
        span = self.spans.setdefault(place, Span())
        if self.mode == "observe":
            span.widen(values)
            return values
        if self.model.training:
            span.widen(values)
        return rounded_activation(values, span)


def rounded_activation(values: Tensor, span: Span) -> Tensor:
    """Values -> the nearest of 256 steps from the span's low to its high; beyond it, its ends."""
    scale = (span.high - span.low) / ACTIVATION_STEPS
    if scale <= 0:
        return values
    zero = round(-span.low / scale)
    return torch.fake_quantize_per_tensor_affine(
        values.float(), scale, min(max(zero, 0), ACTIVATION_STEPS), 0, ACTIVATION_STEPS
    )


def rounded_weight(weight: Tensor | None, *, axis: int) -> Tensor:
    """Weight -> the nearest of 129 steps, symmetric about 0, a scale for each index of `axis`."""
    assert weight is not None
    others = [d for d in range(weight.ndim) if d != axis]
    scale = weight.detach().float().abs().amax(dim=others).clamp(min=1e-12) / WEIGHT_STEPS
    zeros = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(
        weight.float(), scale, zeros, axis, -WEIGHT_STEPS, WEIGHT_STEPS
    )


@torch.no_grad()
def _ends(model: Model, example: Tensor, layers: Sequence[nn.Module]) -> dict[nn.Module, nn.Module]:
    """Layer -> the module behind which its output is rounded: itself, its norm, or its ReLU.

    Found by running one example: a module follows another where it takes the very tensor that the
    other gave, and nobody else does.
    """
    takers: dict[int, list[nn.Module]] = {}
    gives: dict[nn.Module, Tensor] = {}
    alive: list[Tensor] = []

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        if inputs and isinstance(inputs[0], Tensor) and isinstance(output, Tensor):
            takers.setdefault(id(inputs[0]), []).append(module)
            gives[module] = output
            # An id is a tensor's own only while it lives.
            alive.extend((inputs[0], output))

    leaves = [m for m in model.modules() if not any(True for _ in m.children())]
    hooks = [leaf.register_forward_hook(note) for leaf in leaves]
    was_training = model.training
    try:
        model.eval()(example)
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    ends: dict[nn.Module, nn.Module] = {}
    for layer in layers:
        end = layer
        while end in gives:
            next_ones = takers.get(id(gives[end]), [])
            # A module that gives back what it took (Dropout, Identity) must not be met twice.
            ahead = [m for m in next_ones if isinstance(m, _ABSORBED) and m is not end]
            if len(next_ones) != 1 or not ahead or gives[ahead[0]] is gives[end]:
                break
            end = ahead[0]
        if layer in gives:
            ends[layer] = end
    return ends
