"""Graphs whose length is open: what torch's exporter must be told, and must be caught at."""

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from earlet.errors import ParityError
from earlet_export.macs import WEIGHTED
from earlet_export.run import Runner


def check_open_length(
    graph: onnx.ModelProto,
    module: nn.Module,
    example: Tensor,
    *,
    part: str,
    what: str,
    open_from: int,
) -> None:
    """Run it on the shortest and on an odd longer one, next to torch. Raises ParityError.

    The exporter lets sizes that the code fixes pass unseen. `part` and `what` (samples, frames)
    name in errors whose length is meant.
    """
    run = Runner.of(graph)
    length = example.shape[-1]
    longer = torch.cat([example, example], dim=-1)[..., : length + (length // 3 | 1)]
    for asked in (example[..., :open_from], longer):
        try:
            with torch.no_grad():
                wanted = tuple(module(asked).shape)
        # Torch's own word for sizes that do not fit is RuntimeError.
        except (RuntimeError, ValueError) as error:
            raise ParityError(
                f"the {part} of this network takes {length} {what}, and {asked.shape[-1]} not even "
                f"in PyTorch: {str(error).splitlines()[0]}. Average over time before what reads a "
                "flattened map, or export with --length window."
            ) from error
        try:
            found = run(asked.contiguous().numpy()).shape
        # onnxruntime's own exceptions share no base below Exception.
        except Exception as error:
            raise ParityError(_fixed_length(part, what, length, asked.shape[-1])) from error
        if found != wanted:
            raise ParityError(_fixed_length(part, what, length, asked.shape[-1]))
    ends = [*graph.graph.input, *(end for end in graph.graph.output if len(wanted) > 2)]
    if any(value.type.tensor_type.shape.dim[-1].HasField("dim_value") for value in ends):
        raise ParityError(_fixed_length(part, what, length, longer.shape[-1]))


def _fixed_length(part: str, what: str, exported: int, asked: int) -> str:
    return (
        f"the {part} of this network was exported with {exported} {what}, its length open, and "
        f"does not answer to {asked} {what} as PyTorch does: somewhere its code fixes the length. "
        "Take sizes from the tensor's shape, with // for whole numbers of 0 and more, or export "
        "with --length window."
    )


def forget_recurrences() -> None:
    """Let torch.onnx export an LSTM or GRU of open length whatever was exported before.

    For the time of an export it hands torch a loop in their place, which keeps the length open. But
    torch remembers from an export before which code they are, and how long the loop was then, and
    both fix the length (torch 2.13; `torch.export._patches`).
    """
    torch.compiler.reset()
    for operator in (torch.ops.aten.lstm.input, torch.ops.aten.gru.input):
        getattr(operator, "_dispatch_cache", {}).clear()


def name_open_sizes(graph: onnx.ModelProto, *, frames: str) -> None:
    """What comes out is as long as `frames` says, not `(((T//16) - 32)//10) + 1`."""
    for value in graph.graph.output:
        for size in value.type.tensor_type.shape.dim[1:]:
            if size.HasField("dim_param"):
                size.dim_param = frames


def sized(model: onnx.ModelProto, frames: int) -> onnx.ModelProto:
    """The graph with the sizes that one window of features gives to what its layers read and write.

    Sizes that are computed in the graph are followed by no shape inference, so it is run.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    dims = graph.input[0].type.tensor_type.shape.dim
    dims[0].dim_value, dims[-1].dim_value = 1, frames
    known = {graph.input[0].name, "", *(weight.name for weight in graph.initializer)}
    layers = [node for node in graph.node if node.op_type in WEIGHTED]
    wanted = {name for node in layers for name in (*node.input, *node.output)} - known
    asked = onnx.ModelProto()
    asked.CopyFrom(made)
    del asked.graph.output[:]
    asked.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(wanted))
    features = np.zeros([size.dim_value for size in dims], dtype=np.float32)
    for name, answer in zip(sorted(wanted), Runner.of(asked).all(features), strict=True):
        graph.value_info.append(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, answer.shape)
        )
    return made
