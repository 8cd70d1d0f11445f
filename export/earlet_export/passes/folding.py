"""What ONNX Runtime makes of a graph while it loads it, and what its constants come to."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

Level = Literal["basic", "all"]


def fold(model: onnx.ModelProto, *, level: Level = "basic") -> onnx.ModelProto:
    """Graph -> the graph that ONNX Runtime runs after its optimizations of that level.

    `basic`: constants computed, nothing of this processor in it; `all`: as the runtime loads it.
    """
    levels = onnxruntime.GraphOptimizationLevel
    with tempfile.TemporaryDirectory(prefix="earlet-") as folder:
        path = Path(folder) / "optimized.onnx"
        options = _options()
        options.optimized_model_filepath = str(path)
        options.graph_optimization_level = (
            levels.ORT_ENABLE_BASIC if level == "basic" else levels.ORT_ENABLE_ALL
        )
        _session(model, options)
        return onnx.load(path)


def constants_of(model: onnx.ModelProto, names: Sequence[str]) -> dict[str, NDArray[np.generic]]:
    """Tensors of the graph that depend on no input -> their values, computed by ONNX Runtime."""
    part = onnx.ModelProto()
    part.CopyFrom(model)
    graph = part.graph
    del graph.input[:], graph.output[:], graph.value_info[:]
    needed, nodes = set(names), []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(reversed(nodes))
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    values = _session(part, _options()).run(list(names), {})
    return dict(zip(names, values, strict=True))


def _session(
    model: onnx.ModelProto, options: onnxruntime.SessionOptions
) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return options
