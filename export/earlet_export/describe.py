"""Says what a recipe makes before anything is trained: size, work, what int8 takes, streaming."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import onnx
import torch
from onnxruntime.quantization.registry import QDQRegistry
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from earlet.errors import ParityError
from earlet_export.lengths import why_fixed
from earlet_export.macs import layer_macs
from earlet_export.quantize import LAYERS, always_float, nodes_of_modules
from earlet_export.quiet import quiet
from earlet_export.streaming.plan import plan_model
from earlet_export.trace import trace
from earlet_train.network import Network, build_network
from earlet_train.recipe import Recipe

# More levels of modules within modules than any network has.
_DEEP = 99


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One module without parts of its own. `output`: shape for one clip, without the batch.

    `part`: frontend, adapter or model; `name`: its path in the network.
    """

    part: str
    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    macs: int


@dataclass(frozen=True, kw_only=True)
class Exports:
    """What the traced graphs look like. `int8_macs`: multiplications of the nodes that become int8.

    `float_nodes`: those of the model that stay in float and multiply, with their counts.
    `not_streaming`: the first of the model's nodes that needs a whole window, why, and what to
    change; empty where little or nothing does.
    """

    operators: dict[str, int]
    int8_macs: int
    model_macs: int
    frontend_macs: int
    float_nodes: dict[str, int]
    fp32_bytes: int
    not_streaming: str


@dataclass(frozen=True, kw_only=True)
class Description:
    """All about a recipe's network with fresh weights. Counts are for one window of one clip.

    `not_streaming`: per part, what keeps it from running on sound as it arrives; empty: nothing.
    `fixed_length`: per part, what keeps its graph from taking any length.
    `exports` is None and `not_exported` says why where the network does not trace. `note`: what
    must be said whenever the model is named, as that it is a reconstruction.
    """

    recipe: str
    description: str
    labels: tuple[str, ...]
    sample_rate_hz: int
    window_samples: int
    features: tuple[int, int, int]
    seam: tuple[int, int, int]
    parameters: int
    trainable: int
    macs: int
    layers: tuple[Layer, ...]
    not_streaming: dict[str, str]
    fixed_length: dict[str, str]
    exports: Exports | None
    not_exported: str = ""
    note: str = ""

    @property
    def window_s(self) -> float:
        """Length of a window in seconds."""
        return self.window_samples / self.sample_rate_hz

    @property
    def macs_per_s(self) -> float:
        """Multiplications per second of sound, windows side by side."""
        return self.macs / self.window_s

    @property
    def streams(self) -> bool:
        """True where every part can run on sound as it arrives."""
        return not self.not_streaming


def describe(recipe: Recipe, *, on_step: Callable[[str], None] = lambda _: None) -> Description:
    """Recipe -> Description; nothing is read and nothing trained. Raises RecipeError."""
    on_step("building the network")
    torch.manual_seed(recipe.seed)
    network = build_network(recipe).eval()
    silence = torch.zeros(1, recipe.data.window_samples)
    layers, shapes = layers_of(network, silence)
    on_step("tracing it to ONNX")
    exports, not_exported = None, ""
    try:
        exports = _exports(network, recipe)
    except ParityError as error:
        not_exported = str(error)
    parameters = list(network.parameters())
    return Description(
        recipe=recipe.name,
        description=recipe.description,
        labels=recipe.labels,
        sample_rate_hz=recipe.data.sample_rate_hz,
        window_samples=recipe.data.window_samples,
        features=shapes["frontend"],
        seam=shapes["seam"],
        parameters=sum(p.numel() for p in parameters),
        trainable=sum(p.numel() for p in parameters if p.requires_grad),
        macs=sum(layer.macs for layer in layers),
        layers=layers,
        not_streaming=_obstacles(network, exports),
        fixed_length=dict(why_fixed(network)),
        exports=exports,
        not_exported=not_exported,
        note=network.model.note,
    )


def layers_of(
    network: Network, silence: torch.Tensor
) -> tuple[tuple[Layer, ...], dict[str, tuple[int, int, int]]]:
    """One clip through the network -> its layers in the order they ran, the shapes at the seams."""
    outputs: dict[str, tuple[int, ...]] = {}
    shapes: dict[str, Any] = {}

    def note(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            first = output[0] if isinstance(output, tuple) else output
            outputs.setdefault(name, tuple(first.shape[1:]))

        return hook

    modules = {name: m for name, m in network.named_modules() if name and not _has_parts(m)}
    hooks = [module.register_forward_hook(note(name)) for name, module in modules.items()]
    mapping = {torch.ops.aten.mkldnn_rnn_layer: _recurrent_flops}
    try:
        with (
            torch.no_grad(),
            quiet(),
            FlopCounterMode(display=False, depth=_DEEP, custom_mapping=mapping) as counter,
        ):
            features = network.frontend(silence)
            shapes["frontend"] = tuple(features.shape[1:])
            seam = features if network.adapter is None else network.adapter(features)
            shapes["seam"] = tuple(seam.shape[1:])
            network.model(seam)
    finally:
        for handle in hooks:
            handle.remove()
    macs = _macs_by_module(network, counter.get_flop_counts())
    layers = []
    for name, module in network.named_modules():
        # A module with parts may still work itself (an attention's product): its parts taken off,
        # that stands in a row of its own.
        own = macs.get(name, 0) - _work_of_parts(name, module, macs)
        if name and (name in outputs or own > 0):
            layers.append(
                Layer(
                    part=name.split(".")[0],
                    name=name,
                    kind=type(module).__name__,
                    output=outputs.get(name, ()),
                    parameters=sum(
                        p.numel() for p in module.parameters(recurse=not _has_parts(module))
                    ),
                    macs=own,
                )
            )
    return tuple(layers), shapes


def _macs_by_module(network: Network, counts: dict[str, dict[Any, int]]) -> dict[str, int]:
    """Counter's names (`Frontend.dft` for each root it saw) -> module paths, in multiplications."""
    roots = {
        type(part).__name__: name for name, part in network.named_children() if part is not None
    }
    found: dict[str, int] = {}
    for path, by_operator in counts.items():
        root, _, rest = path.partition(".")
        if root in roots:
            name = f"{roots[root]}.{rest}" if rest else roots[root]
            found[name] = found.get(name, 0) + sum(by_operator.values()) // 2
    return found


def _work_of_parts(name: str, module: nn.Module, macs: dict[str, int]) -> int:
    """Multiplications of the parts directly inside; a list of modules is looked through."""
    total = 0
    for part, inner in module.named_children():
        path = f"{name}.{part}"
        total += macs[path] if path in macs else _work_of_parts(path, inner, macs)
    return total


def _has_parts(module: nn.Module) -> bool:
    return any(True for _ in module.children())


def _recurrent_flops(*shapes: Any, out_shape: Any = None, **_: Any) -> int:
    """One direction of one layer: every step multiplies input and state by their matrices."""
    steps_and_batch, into, again = shapes[0][:2], shapes[1], shapes[2]
    flops: int = 2 * math.prod(steps_and_batch) * (math.prod(into) + math.prod(again))
    return flops


def _exports(network: Network, recipe: Recipe) -> Exports:
    """Trace and count. Raises ParityError where the network does not export."""
    traced = trace(network, window_samples=recipe.data.window_samples)
    macs = layer_macs(traced.model)
    kept = {
        *always_float(traced.model),
        *nodes_of_modules(traced.model, recipe.export.exclude),
    }
    stop = plan_model(traced.model).obstacle
    operators: dict[str, int] = {}
    for node in traced.model.graph.node:
        operators[node.op_type] = operators.get(node.op_type, 0) + 1
    is_int8 = {
        node.name: node.op_type in QDQRegistry and node.name not in kept
        for node in traced.model.graph.node
    }
    return Exports(
        operators=dict(sorted(operators.items())),
        int8_macs=sum(count for name, count in macs.items() if is_int8[name]),
        model_macs=sum(macs.values()),
        frontend_macs=sum(layer_macs(traced.frontend).values()),
        float_nodes={
            node.name: macs.get(node.name, 0)
            for node in traced.model.graph.node
            if not is_int8[node.name] and (node.op_type in LAYERS or _has_weights(node))
        },
        fp32_bytes=traced.frontend.ByteSize() + traced.model.ByteSize(),
        not_streaming="" if stop is None else stop.told,
    )


def _has_weights(node: onnx.NodeProto) -> bool:
    return node.op_type in ("LSTM", "GRU", "BatchNormalization", "InstanceNormalization")


def _obstacles(network: Network, exports: Exports | None) -> dict[str, str]:
    """Part -> why it does not stream, for the parts that do not."""
    reasons = {
        "frontend": network.frontend.why_not_streaming(),
        "adapter": network.adapter.why_not_streaming() if network.adapter is not None else "",
        "model": "" if exports is None else exports.not_streaming,
    }
    return {part: reason for part, reason in reasons.items() if reason}
