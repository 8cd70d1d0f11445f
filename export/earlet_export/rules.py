"""Refuses graphs with operations that are slow, wrong or a trap in ONNX Runtime.

1. No STFT or DFT operator: slower than a matrix product, and in float32 wrong by whole nepers where
   the length is not a power of two.
2. No BatchNormalization straight behind a convolution that could have swallowed it.
3. Every Log has a floor under it. The exporter's optimizer drops `+ eps` for eps <= 1e-8 without a
   word, and the log of digital silence becomes -inf.
"""

import numpy as np
import onnx
from onnx import numpy_helper

from earlet.errors import ParityError

# These choose among their input's values, or average them: what was positive stays so. (Pad is
# missing on purpose: it adds zeros.)
_PASSES_VALUES_ON = frozenset(
    {"Concat", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze"}
    | {"Tile", "Transpose", "Unsqueeze", "ReduceMax", "ReduceMin", "ReduceMean"}
)
_KEEPS_POSITIVE = frozenset(["Mul", "Div", "Sqrt", "Pow", "ReduceSum"])
_POSITIVE_BY_NATURE = frozenset(["Exp", "Softplus", "Sigmoid", "Softmax"])


def check_rules(model: onnx.ModelProto, *, part: str) -> None:
    """Raise ParityError naming the first node that breaks a rule; `part` names the graph."""
    graph = model.graph
    maker = {output: node for node in graph.node for output in node.output}
    constants = {w.name: numpy_helper.to_array(w) for w in graph.initializer}
    users: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            users[name] = users.get(name, 0) + 1
    for node in graph.node:
        if node.op_type in ("STFT", "DFT"):
            raise ParityError(
                f"the {part} graph holds the operator {node.op_type} ({node.name}), which is slow "
                "and, away from powers of two, wrong in ONNX Runtime. Compute the spectrum with a "
                "frontend of earlet_train (matrix products) instead of torch.stft."
            )
        if node.op_type == "BatchNormalization":
            before = maker.get(node.input[0])
            if before is not None and before.op_type == "Conv" and users[node.input[0]] == 1:
                raise ParityError(
                    f"the {part} graph holds a batch norm ({node.name}) that should have been "
                    f"folded into {before.name}. Export with the optimizer of torch.onnx on."
                )
        if node.op_type == "Log" and not _has_floor(node.input[0], maker, constants):
            raise ParityError(
                f"the {part} graph takes a logarithm without a floor ({node.name}): digital "
                "silence gives -inf. Write torch.log(torch.clamp(x, min=eps)); the exporter "
                "removes `+ eps` where eps is 1e-8 or less."
            )


def _has_floor(
    name: str, maker: dict[str, onnx.NodeProto], constants: dict[str, np.ndarray]
) -> bool:
    """Whether the tensor is made positive somewhere before it: Clip, Max, + eps, or by nature."""
    if name in constants:
        return bool((constants[name] > 0).all())
    node = maker.get(name)
    if node is None:
        return False
    if node.op_type in _POSITIVE_BY_NATURE:
        return True
    if node.op_type == "Clip":
        low = constants.get(node.input[1]) if len(node.input) > 1 else None
        return low is not None and bool((low > 0).all())
    if node.op_type in ("Max", "Add"):
        return any(i in constants and bool((constants[i] > 0).all()) for i in node.input) or (
            node.op_type == "Max" and any(_has_floor(i, maker, constants) for i in node.input)
        )
    if node.op_type in _KEEPS_POSITIVE:
        sources = node.input[:1] if node.op_type in ("Pow", "ReduceSum") else node.input
        return all(_has_floor(i, maker, constants) for i in sources)
    if node.op_type in _PASSES_VALUES_ON:
        sources = node.input if node.op_type == "Concat" else node.input[:1]
        return all(_has_floor(i, maker, constants) for i in sources)
    return False
