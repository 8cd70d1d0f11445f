"""Cuts a joined graph off at its features, to compare what the model hears before it judges.

Any graph that `join` made can be cut, also one that was read back from a bundle: the seam keeps its
name, `features`, whatever was quantized or rewritten on either side of it.
"""

import onnx
from onnx import TensorProto, helper

from earlet.errors import ParityError
from earlet_export.trace import FEATURES


def up_to_features(graph: onnx.ModelProto, *, source: str) -> onnx.ModelProto:
    """Waveform -> logits becomes waveform -> features. `source` names the graph in errors.

    Raises ParityError where no tensor is called `features`: then nothing says which part of the
    graph is the frontend, and it was not made by earlet's export, or was changed since.
    """
    needed, kept = {FEATURES}, []
    for node in reversed(graph.graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    if not kept:
        raise ParityError(
            f"{source} has no tensor {FEATURES!r} between its frontend and its model, so the two "
            "cannot be compared apart. Export it again with: earlet export"
        )
    cut = onnx.ModelProto()
    cut.CopyFrom(graph)
    del cut.graph.node[:]
    cut.graph.node.extend(reversed(kept))
    weights = [weight for weight in graph.graph.initializer if weight.name in needed]
    del cut.graph.initializer[:]
    cut.graph.initializer.extend(weights)
    del cut.graph.value_info[:]
    del cut.graph.output[:]
    cut.graph.output.append(helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, None))
    return cut
