"""Turns a trained network into two ONNX graphs: waveform -> features, and features -> logits.

Two, because only the second may become int8: the spectrum spans more decades than eight bits hold.
Both keep the batch open. The length is fixed to one window, which is all that a detector ever
feeds: that lets ONNX Runtime plan its memory and fold the shape arithmetic away. Or it is open too,
from a stated number of samples on, for whoever feeds a session himself.

The passes (`earlet_export.passes`) are applied here, so that whatever is quantized, proven, timed
or shipped is what they left.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, cast

import onnx
import torch
from torch import Tensor, nn

from earlet.errors import ParityError, UsageError
from earlet_export.open_length import check_open_length, forget_recurrences, name_open_sizes, sized
from earlet_export.passes.compact_constants import compact_constants
from earlet_export.passes.compact_dft import compact_dft
from earlet_export.passes.fold_batch_norm import fold_batch_norm
from earlet_export.passes.mean_in_steps import mean_in_steps
from earlet_export.passes.time_major import time_major
from earlet_export.quiet import quiet
from earlet_export.rules import check_rules
from earlet_export.run import Runner
from earlet_export.tidy import tidy

OPSET = 18
FRONTEND, MODEL = "frontend", "model"
WAVEFORM, FEATURES, LOGITS = "waveform", "features", "logits"
# What an open last axis is called in the graph, and by people.
TIME = {WAVEFORM: "T", FEATURES: "N"}
WHAT = {WAVEFORM: "samples", FEATURES: "frames"}

# How the frontend's tables are kept in the file: as recipes that ONNX Runtime computes while it
# loads the graph, or as numbers, which other engines may want.
Kept = Literal["compact", "stored"]


class Network(Protocol):
    """What is exported: features(waveform [B, T]) -> [B, C, F, N], model(features) -> [B, K]."""

    @property
    def model(self) -> nn.Module:
        """The part behind the seam."""
        ...

    def features(self, waveform: Tensor, /) -> Tensor:
        """Frontend and adapter."""
        ...


@dataclass(frozen=True, kw_only=True)
class Traced:
    """The two graphs of one network; their names begin with `frontend/` and `model/`.

    `open_from_samples`: the shortest waveform that they take, None where they take windows alone;
    `window_frames`: how many frames a window has, said where the graphs do not.
    """

    frontend: onnx.ModelProto
    model: onnx.ModelProto
    window_samples: int
    open_from_samples: int | None = None
    window_frames: int | None = None

    @property
    def counted_model(self) -> onnx.ModelProto:
        """The model graph with the sizes that one window has, for counting its work: not to run."""
        frames = self.window_frames
        return self.model if frames is None else sized(self.model, frames)


def trace(
    network: Network,
    *,
    window_samples: int,
    kept: Kept = "compact",
    open_from_samples: int | None = None,
    streams: bool = False,
) -> Traced:
    """Network in eval mode -> its two graphs, the same bytes each time.

    `streams`: lay the model's maps out as a stream wants them (`passes.time_major`), windows and
    streams alike, so that both add up in the same order. `open_from_samples`: leave the length
    open from there on (`earlet_export.lengths`); None: fix it to the window. Raises UsageError for
    a network in training mode, ParityError where the exporter fails, a graph breaks a rule
    (`earlet_export.rules`) or the code fixes a size that is to be open.
    """
    module = cast(nn.Module, network)
    if any(part.training for part in module.modules()):
        raise UsageError(
            "the network is in training mode, where dropout and batch statistics make every run "
            "different. Call network.eval() before the export."
        )
    # Two examples: with a batch of one the exporter may take the batch for a constant.
    generator = torch.Generator().manual_seed(0)
    waveform = torch.randn((2, window_samples), generator=generator) * 0.1
    open_from_frames = None
    with torch.no_grad():
        features = network.features(waveform)
        if open_from_samples is not None:
            open_from_frames = network.features(waveform[:, :open_from_samples]).shape[-1]
    frontend = _export(
        _Frontend(module),
        waveform,
        source=WAVEFORM,
        target=FEATURES,
        prefix=FRONTEND,
        open_from=open_from_samples,
    )
    if kept == "compact":
        frontend = compact_constants(compact_dft(frontend))
    model = _export(
        network.model,
        features,
        source=FEATURES,
        target=LOGITS,
        prefix=MODEL,
        open_from=open_from_frames,
    )
    return Traced(
        frontend=frontend,
        model=time_major(model) if streams else model,
        window_samples=window_samples,
        open_from_samples=open_from_samples,
        window_frames=None if open_from_samples is None else features.shape[-1],
    )


def frontend_graph(network: Network, *, samples: int, kept: Kept) -> onnx.ModelProto:
    """Network in eval mode -> the graph of its frontend alone, for waveforms of that length."""
    generator = torch.Generator().manual_seed(0)
    graph = _export(
        _Frontend(cast(nn.Module, network)),
        torch.randn((2, samples), generator=generator) * 0.1,
        source=WAVEFORM,
        target=FEATURES,
        prefix=FRONTEND,
        open_from=None,
    )
    return compact_constants(compact_dft(graph)) if kept == "compact" else graph


class _Frontend(nn.Module):
    """waveform [B, T] -> features [B, C, F, N]: the method as a module, as the exporter wants."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.training = False

    def forward(self, waveform: Tensor) -> Tensor:
        return cast(Network, self.network).features(waveform)


def _export(
    module: nn.Module,
    example: Tensor,
    *,
    source: str,
    target: str,
    prefix: str,
    open_from: int | None,
) -> onnx.ModelProto:
    """One part as a graph. `open_from`: the least size of its last axis; None: the example's."""
    sizes = {0: torch.export.Dim("B", min=1, max=4096)}
    if open_from is not None:
        sizes[example.ndim - 1] = torch.export.Dim(TIME[source], min=open_from)
        forget_recurrences()
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                opset_version=OPSET,
                external_data=False,
                dynamic_shapes=(sizes,),
                input_names=[source],
                output_names=[target],
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        left_open = "the batch" if open_from is None else "the batch and the length"
        raise ParityError(
            f"the {prefix} of this network does not export to ONNX: {_first_line(error)}. "
            f"Write that part with operations that torch.onnx knows, and with {left_open} left "
            f"open{'' if open_from is None else ', or export with --length window'}."
        ) from error
    assert program is not None
    graph = tidy(program.model_proto, prefix=prefix, source=source, target=target)
    graph = fold_batch_norm(graph)
    check_rules(graph, part=prefix)
    if open_from is not None:
        graph = mean_in_steps(graph)
        name_open_sizes(graph, frames=TIME[FEATURES])
        check_open_length(
            graph, module, example, part=prefix, what=WHAT[source], open_from=open_from
        )
    _check_open_batch(graph, example, part=prefix)
    return graph


def _check_open_batch(graph: onnx.ModelProto, example: Tensor, *, part: str) -> None:
    """Run it on one and on three: the exporter lets a batch that the code fixes pass unseen."""
    run = Runner.of(graph)
    for batch in (1, 3):
        try:
            answered = len(run(torch.cat([example, example])[:batch].numpy()))
        # onnxruntime's own exceptions share no base below Exception.
        except Exception as error:
            raise ParityError(_fixed_batch(part, batch)) from error
        if answered != batch:
            raise ParityError(_fixed_batch(part, batch))


def _fixed_batch(part: str, batch: int) -> str:
    return (
        f"the {part} of this network was exported with a batch of two and does not take a batch of "
        f"{batch}: somewhere its code fixes the batch. Take sizes from the tensor's shape."
    )


def _first_line(error: Exception) -> str:
    cause = error.__cause__ or error
    return next((line for line in str(cause).splitlines() if line.strip()), type(cause).__name__)
