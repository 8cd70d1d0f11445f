"""Turns what never changes into constants: shape arithmetic, packed weights, branches.

Exporters leave code behind that asks for the rate, the length or the rank of a tensor and branches
on the answer. With constants filled in and the length fixed, those answers are always the same.

Preconditions: the constant inputs are initializers, the length is one.
Postcondition: a tensor that depends on no value of the sound, and is the same for one and for three
recordings, is an initializer; an If on one of those is the branch that it takes. What the graph
computes is unchanged (`adopt` proves it against the untouched file).
"""

from collections.abc import Callable, Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from earlet_export.foreign.graph import Values, probe, rename_inputs, sweep
from earlet_export.passes.wiring import inputs_of

Feed = Callable[[int], Mapping[str, Values]]

# They look at a tensor's shape alone.
_SHAPES = ("Shape", "Size")
_RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial")
# Each round opens one level of branches.
_ROUNDS = 12


def freeze(model: onnx.ModelProto, feed: Feed, *, batches: tuple[int, ...], source: str) -> None:
    """In place. `feed`: batch size -> an input of random sound; `batches`: the sizes to try."""
    for _ in range(_ROUNDS):
        frozen = _freeze_values(model, feed, batches=batches, source=source)
        opened = _open_branches(model)
        sweep(model)
        if not frozen and not opened:
            return


def _freeze_values(
    model: onnx.ModelProto, feed: Feed, *, batches: tuple[int, ...], source: str
) -> bool:
    """Replace what is always the same; -> whether anything was."""
    graph = model.graph
    made: dict[str, Values] = {}
    known = {weight.name for weight in graph.initializer}
    candidates: list[str] = []
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            made[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            known.add(node.output[0])
            continue
        free = node.op_type in _SHAPES or all(name in known for name in inputs_of(node))
        if free and node.op_type not in _RANDOM:
            known |= set(node.output)
            candidates += [name for name in node.output if name]
    ends = {port.name for port in graph.output}
    candidates = [name for name in candidates if name not in ends]
    if candidates:
        found = [probe(model, candidates, feed(size), source=source) for size in batches]
        for name in candidates:
            first = found[0][name]
            if all(_equal(first, other[name]) for other in found[1:]):
                made[name] = np.asarray(first)
    if not made:
        return False
    kept = [node for node in graph.node if not set(node.output) <= set(made)]
    stands = {name for node in kept for name in node.output}
    del graph.node[:]
    graph.node.extend(kept)
    graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in made.items() if name not in stands
    )
    return True


def _open_branches(model: onnx.ModelProto) -> bool:
    """Put the branch that is taken in the place of each If whose condition is known."""
    graph = model.graph
    constants = {w.name: w for w in graph.initializer}
    nodes, opened = [], False
    for node in graph.node:
        if node.op_type != "If" or node.input[0] not in constants:
            nodes.append(node)
            continue
        opened = True
        taken = bool(numpy_helper.to_array(constants[node.input[0]]).all())
        wanted = "then_branch" if taken else "else_branch"
        branch = next(a.g for a in node.attribute if a.name == wanted)
        graph.initializer.extend(branch.initializer)
        nodes += list(branch.node)
        for inside, outside in zip(branch.output, node.output, strict=True):
            nodes.append(onnx.helper.make_node("Identity", [inside.name], [outside]))
    del graph.node[:]
    graph.node.extend(nodes)
    for node in graph.node:
        rename_inputs(node, {})
    return opened


def _equal(one: Values, other: Values) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype and np.array_equal(one, other)
