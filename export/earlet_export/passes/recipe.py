"""Puts recipes in the place of stored constants: nodes that make them while the graph is loaded."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from earlet.errors import ParityError
from earlet_export.passes.folding import constants_of, fold

Values = NDArray[np.generic]


class Recipe:
    """Nodes and constants that make one table; their names are its name, a mark, and a number."""

    def __init__(self, table: str, *, mark: str) -> None:
        self.table, self.mark = table, mark
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    @property
    def size_bytes(self) -> int:
        """What it takes in the file."""
        nodes: int = sum(node.ByteSize() for node in self.nodes)
        constants: int = sum(constant.ByteSize() for constant in self.constants)
        return nodes + constants

    def node(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node; -> the name of its output, the table's where it is the last."""
        name = f"{self.table}{self.mark}{len(self.nodes)}"
        made = output or name
        self.nodes.append(helper.make_node(operator, inputs, [made], name=name, **attributes))
        return made

    def constant(self, label: str, value: Values | np.generic) -> str:
        """Add a constant; -> its name."""
        name = f"{self.table}{self.mark}{label}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def narrow(self, label: str, values: Values) -> str:
        """Integers of 0 and more, in the narrowest type that holds them."""
        return self.constant(label, values.astype(np.min_scalar_type(values.max())))

    def widened(self, label: str, values: NDArray[np.int64]) -> str:
        """Integers of 0 and more, stored narrow, as int64."""
        return self.node("Cast", self.narrow(label, values), to=TensorProto.INT64)


def replace_constants(
    model: onnx.ModelProto,
    shorter: Callable[[onnx.TensorProto], Recipe | None],
    *,
    mark: str,
    tolerance: float,
) -> onnx.ModelProto:
    """Graph -> the same with `shorter(constant)` for each constant where that saves bytes.

    Checked on what ONNX Runtime makes of it: every table is within `tolerance` of its largest
    value of the stored one, and none is left to be computed for each input. Raises ParityError.
    """
    compacted = onnx.ModelProto()
    compacted.CopyFrom(model)
    graph = compacted.graph
    stored: dict[str, Values] = {}
    nodes: list[onnx.NodeProto] = []
    kept: list[onnx.TensorProto] = []
    for tensor in model.graph.initializer:
        recipe = shorter(tensor)
        if recipe is None or recipe.size_bytes >= tensor.ByteSize():
            kept.append(tensor)
            continue
        stored[tensor.name] = numpy_helper.to_array(tensor)
        kept += recipe.constants
        nodes += recipe.nodes
    if not stored:
        return compacted
    # Nodes stand in the order of their use; recipes read nothing that is computed, so they lead.
    nodes += model.graph.node
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    _check_folds(compacted, mark)
    _check_values(compacted, stored, tolerance)
    return compacted


def _check_folds(model: onnx.ModelProto, mark: str) -> None:
    left = [node.name for node in fold(model).graph.node if mark in node.name]
    if left:
        raise ParityError(
            f"ONNX Runtime does not compute {left[0].partition(mark)[0]} while it loads the graph: "
            f"{len(left)} nodes of its recipe are left. {_REMEDY}"
        )


def _check_values(model: onnx.ModelProto, stored: dict[str, Values], tolerance: float) -> None:
    made = constants_of(model, list(stored))
    for name, values in stored.items():
        off = float(np.abs(made[name].astype(np.float64) - values.astype(np.float64)).max())
        allowed = tolerance * float(np.abs(values.astype(np.float64)).max())
        if made[name].dtype != values.dtype or not off <= allowed:
            raise ParityError(
                f"the recipe of {name} gives values up to {off:.2g} from the stored ones; allowed: "
                f"{allowed:.2g}. {_REMEDY}"
            )


_REMEDY = "Export with --frontend stored, and report this as a fault of earlet."
