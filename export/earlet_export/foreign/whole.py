"""Builds the graph of the contract around a foreign one: `waveform` [B, T] -> `logits` [B, K].

A model that is called piece by piece becomes one graph for the whole window. What does not depend
on its memory is computed for all pieces at once, as one batch; only what does walks over them, one
after the other, in a Scan. So the bulk of the work stays visible to the optimizer and can become
int8, and the order of the pieces is kept where it matters.

A model that takes one recording at a time is put as a whole into a Scan over the batch, where it
cannot be parted so that only its frontend is.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from earlet.errors import RecipeError
from earlet_export.foreign.graph import (
    PREFIX,
    Builder,
    Values,
    probe,
    rename_inputs,
    sweep,
)
from earlet_export.foreign.moments import Layout, layout
from earlet_export.foreign.original import SUREST
from earlet_export.foreign.ports import Ports, integer_limits
from earlet_export.foreign.spec import Pool, Spec
from earlet_export.passes.wiring import inputs_of
from earlet_export.trace import FEATURES, LOGITS, OPSET, WAVEFORM, Traced

Feed = Mapping[str, Values]

PIECES = "pieces"


@dataclass(frozen=True, kw_only=True)
class Whole:
    """The graph of the contract. `in_turn`: operators inside a Scan, which stay float for good."""

    model: onnx.ModelProto
    in_turn: tuple[str, ...]


def build_whole(
    inner: onnx.ModelProto, ports: Ports, spec: Spec, *, tapped: bool, feed: Feed
) -> Whole:
    """The model of one piece, frozen, with adopted names -> the whole.

    `feed`: several recordings; one where the model takes no more, and then the graph is of one too.
    """
    graph = helper.make_graph([], "earlet", [_waveform(spec)], [_logits(spec)])
    build = Builder(graph, place="around")
    sound = _give_sound(build, ports, spec)
    in_turn: list[str] = []
    if not ports.states:
        _put(graph, inner, {PREFIX + ports.sound: sound})
        answers = _answers(build, PREFIX + ports.answer, inner, ports, spec, feed)
    else:
        answers, in_turn = _walk(build, inner, ports, spec, sound=sound, feed=feed)
    _give_logits(build, answers, spec, tapped=tapped)
    return Whole(model=_model(graph), in_turn=tuple(in_turn))


def _give_sound(build: Builder, ports: Ports, spec: Spec) -> str:
    """`waveform` [B, T] -> all pieces [B * S, ...] as the model's own port wants them."""
    x = WAVEFORM
    if spec.chunks is not None:
        samples, context, S = spec.chunks.samples, spec.chunks.context, spec.pieces
        rest = S * samples - spec.data.window_samples
        if context or rest:
            x = build.node("Pad", x, build.ints(0, context, 0, rest))
        if context:
            # The first samples of each piece belong to the one before: [B, S, context | samples].
            size = build.ints(-1, S, samples)
            body = build.node(
                "Slice", x, build.ints(context), build.ints(context + S * samples), build.ints(1)
            )
            shifted = build.node("Slice", x, build.ints(0), build.ints(S * samples), build.ints(1))
            body, shifted = build.node("Reshape", body, size), build.node("Reshape", shifted, size)
            before = build.node("Slice", shifted, build.ints(0), build.ints(context), build.ints(2))
            x = build.node("Concat", before, body, axis=2)
        x = build.node("Reshape", x, build.ints(-1, spec.piece_samples), name=PIECES)
    return _as_port(build, x, ports, spec)


def _as_port(build: Builder, x: str, ports: Ports, spec: Spec) -> str:
    if spec.input.full_scale != 1:
        x = build.node("Mul", x, build.number(spec.input.full_scale))
    if np.issubdtype(ports.dtype, np.integer):
        low, high = integer_limits(ports.dtype)
        x = build.node("Round", x)
        x = build.node("Clip", x, build.number(low), build.number(high))
    kind = helper.np_dtype_to_tensor_dtype(ports.dtype)
    if kind != TensorProto.FLOAT:
        x = build.node("Cast", x, to=kind)
    if ports.shape != ("B", "T"):
        sizes = [-1 if a == "B" else spec.piece_samples if a == "T" else 1 for a in ports.shape]
        x = build.node("Reshape", x, build.ints(*sizes))
    return x


def _answers(
    build: Builder, name: str, inner: onnx.ModelProto, ports: Ports, spec: Spec, feed: Feed
) -> str:
    """The model's output -> float32 [B, S, M, n]."""
    values = probe(inner, [name], feed, source=spec.source)[name]
    found = layout(values.shape, spec, batch=_batch(ports, feed))
    _check_answers(found.numbers, spec)
    x = _turned(build, name, values, found)
    return build.node("Reshape", x, build.ints(-1, spec.pieces, found.moments, found.numbers))


def _turned(build: Builder, name: str, values: Values, found: Layout) -> str:
    """The model's output -> float32, its recordings first, then its moments, then numbers."""
    x = build.node("Cast", name, to=TensorProto.FLOAT) if values.dtype != np.float32 else name
    ordered = found.order == tuple(sorted(found.order))
    return x if ordered else build.node("Transpose", x, perm=found.order)


def _check_answers(numbers: int, spec: Spec) -> None:
    """Raise RecipeError where what the model answers is not what [output] says it means."""
    output, labels = spec.output, len(spec.labels)
    place = "window" if spec.chunks is None else "piece"
    if output.moments is None:
        place, pooled = (
            f"one {place}",
            " Where it answers moment by moment, say with [output] moments what of them counts "
            "(max, mean, last), and with shape which axis they are.",
        )
    else:
        place, pooled = "one moment", ""
    if output.single and output.at >= numbers:
        raise RecipeError(
            f"{spec.source}: [output] column is {output.at}, and the model answers {numbers} "
            f"number{'s' if numbers != 1 else ''}. Columns are counted from 0."
        )
    if output.single and output.column is None and numbers > 1:
        raise RecipeError(
            f"{spec.source}: the model answers {numbers} numbers to {place}. Say with [output] "
            f"column which of them, counted from 0.{pooled}"
        )
    if not output.single and numbers != labels:
        raise RecipeError(
            f"{spec.source}: the model answers {numbers} number{'s' if numbers != 1 else ''} to "
            f"{place}; {output.means} of {labels} labels are {labels}. Where it answers one "
            f"number, say means = 'log-odds', 'probability' or 'value'.{pooled}"
        )


def _walk(
    build: Builder, inner: onnx.ModelProto, ports: Ports, spec: Spec, *, sound: str, feed: Feed
) -> tuple[str, list[str]]:
    """The part without memory for all pieces at once, then a Scan; -> answers [B, S, M, n]."""
    assert spec.chunks is not None
    S, batch = spec.pieces, _batch(ports, feed)
    early, late = _split(inner, ports, feed, spec=spec)
    graph = build.graph
    _put(graph, _part(inner, early), {PREFIX + ports.sound: sound})
    made = {name for node in early for name in node.output} | {PREFIX + ports.sound}
    bounds = sorted({name for node in late for name in inputs_of(node)} & made)
    ends = [*(PREFIX + name for name in spec.chunks.states.values()), PREFIX + ports.answer]
    values = probe(inner, [*bounds, *ends], feed, source=spec.source)
    found = layout(values[PREFIX + ports.answer].shape, spec, batch=batch)
    _check_answers(found.numbers, spec)

    # Each bound: [B * S, ...] -> [S, B, ...], for a Scan walks over the first axis.
    scanned = []
    for name in bounds:
        shape = values[name].shape[1:]
        source = sound if name == PREFIX + ports.sound else name
        x = build.node("Reshape", source, build.ints(-1, S, *shape))
        order = [1, 0, *range(2, 2 + len(shape))]
        scanned.append(build.node("Transpose", x, perm=order))
    # Not asked of the waveform: the graph is cut between here and there.
    one = build.node("Shape", scanned[0], start=1, end=2)
    first = []
    for shape, dtype in ports.states.values():
        size = [one if a == "B" else build.ints(int(a)) for a in shape]
        zero = build.constant(np.zeros([1] * len(shape), dtype=dtype))
        first.append(build.node("Expand", zero, build.node("Concat", *size, axis=0)))

    body = helper.make_graph([*late], "one piece in turn", [], [])
    inside = Builder(body, place="in turn")
    for name in ports.states:
        body.input.append(_port(PREFIX + name, values=feed[PREFIX + name]))
    for name in bounds:
        body.input.append(_port(name, values=values[name]))
    for end in ends[:-1]:
        # A Scan may hand each value on once only; an identity makes it another one.
        copy = inside.node("Identity", end)
        body.output.append(_port(copy, values=values[end]))
    n = found.moments * found.numbers
    x = _turned(inside, ends[-1], values[ends[-1]], found)
    x = inside.node("Reshape", x, inside.ints(-1, n))
    body.output.append(helper.make_tensor_value_info(x, TensorProto.FLOAT, [None, n]))
    constants = {name for node in late for name in inputs_of(node)}
    body.initializer.extend(w for w in inner.graph.initializer if w.name in constants)

    last = [f"{PREFIX}last.{name}" for name in ports.states]
    graph.node.append(
        helper.make_node(
            "Scan",
            [*first, *scanned],
            [*last, f"{PREFIX}in turn"],
            name=f"{build.place}/in turn",
            body=body,
            num_scan_inputs=len(scanned),
        )
    )
    answers = build.node("Transpose", f"{PREFIX}in turn", perm=[1, 0, 2])
    answers = build.node("Reshape", answers, build.ints(-1, S, found.moments, found.numbers))
    return answers, [node.op_type for node in late]


def _split(
    inner: onnx.ModelProto, ports: Ports, feed: Feed, *, spec: Spec
) -> tuple[list[onnx.NodeProto], list[onnx.NodeProto]]:
    """Nodes that do not depend on a state, and those that do or that only they can use.

    What crosses from one to the other must have the batch as its first axis: a node whose output
    has it elsewhere is left to the second part.
    """
    nodes = list(inner.graph.node)
    tied = {PREFIX + name for name in ports.states}
    while True:
        late = []
        for node in nodes:
            if tied & {*inputs_of(node), *node.output}:
                tied |= set(node.output)
                late.append(node)
        early = [node for node in nodes if node not in late]
        made = {name for node in early for name in node.output}
        crossing = sorted({name for node in late for name in inputs_of(node)} & made)
        values = probe(inner, crossing, feed, source=spec.source) if crossing else {}
        first = [_batch(ports, feed)]
        bad = {name for name in crossing if list(values[name].shape[:1]) != first}
        bad |= {PREFIX + ports.answer} & made
        if not bad:
            return early, late
        tied |= bad


def _give_logits(build: Builder, answers: str, spec: Spec, *, tapped: bool) -> None:
    """Answers [B, S, M, n] -> `logits` [B, K], as `earlet_export.foreign.original.as_logits`."""
    output, x = spec.output, answers
    if output.single:
        start, end, axis = output.at, output.at + 1, 3
        x = build.node("Slice", x, build.ints(start), build.ints(end), build.ints(axis))
    if output.means == "value":
        x = build.node("Sub", x, build.number(output.center))
        x = build.node("Mul", x, build.number(output.slope))
    elif not tapped and output.means == "probabilities":
        x = build.node("Log", build.node("Clip", x, build.number(SUREST)))
    elif not tapped and output.means == "probability":
        p = build.node("Clip", x, build.number(SUREST), build.number(1 - SUREST))
        rest = build.node("Sub", build.number(1.0), p)
        x = build.node("Sub", build.node("Log", p), build.node("Log", rest))
    x = _pool(build, x, output.moments or "last", axis=2)
    x = _pool(build, x, "last" if spec.chunks is None else spec.chunks.pool, axis=1)
    if not output.single:
        build.node("Identity", x, name=LOGITS)
        return
    zero = build.node("Mul", x, build.number(0.0))
    both = (x, zero) if spec.positive_index == 0 else (zero, x)
    build.node("Concat", *both, axis=1, name=LOGITS)


def _pool(build: Builder, x: str, how: Pool, *, axis: int) -> str:
    """The axis is gone."""
    if how == "last":
        end = np.iinfo(np.int64).max
        last = build.node("Slice", x, build.ints(-1), build.ints(int(end)), build.ints(axis))
        return build.node("Squeeze", last, build.ints(axis))
    op = "ReduceMax" if how == "max" else "ReduceMean"
    return build.node(op, x, build.ints(axis), keepdims=0)


def build_in_turn(
    inner: onnx.ModelProto, ports: Ports, spec: Spec, *, tapped: bool, feed: Feed
) -> Whole:
    """`build_whole` for a model of one recording at a time: all of it in a Scan over the batch."""
    if spec.chunks is not None:
        raise RecipeError(
            f"{spec.source}: the model fixes the batch to one and is called in pieces, which "
            "earlet does not put together. Export the model with an open batch."
        )
    body = helper.make_graph([], "one recording", [], [])
    inside = Builder(body, place="one")
    body.input.append(helper.make_tensor_value_info("one.waveform", 1, [spec.data.window_samples]))
    row = inside.node("Reshape", "one.waveform", inside.ints(1, -1))
    sound = _as_port(inside, row, ports, spec)
    _put(body, inner, {PREFIX + ports.sound: sound})
    answers = _answers(inside, PREFIX + ports.answer, inner, ports, spec, feed)
    values = probe(inner, [PREFIX + ports.answer], feed, source=spec.source)
    found = layout(values[PREFIX + ports.answer].shape, spec, batch=1)
    flat = inside.node("Reshape", answers, inside.ints(-1))
    size = found.moments * found.numbers
    body.output.append(helper.make_tensor_value_info(flat, TensorProto.FLOAT, [size]))
    graph = helper.make_graph([], "earlet", [_waveform(spec)], [_logits(spec)])
    build = Builder(graph, place="around")
    stacked = build.node("Scan", WAVEFORM, body=body, num_scan_inputs=1)
    answers = build.node("Reshape", stacked, build.ints(-1, 1, found.moments, found.numbers))
    _give_logits(build, answers, spec, tapped=tapped)
    return Whole(model=_model(graph), in_turn=tuple(n.op_type for n in inner.graph.node))


def frontend_one_by_one(traced: Traced) -> Traced:
    """The same with a frontend that hears one recording of a batch at a time, in a Scan."""
    inner = traced.frontend.graph
    body = onnx.GraphProto()
    body.CopyFrom(inner)
    body.name = "one recording"
    # What is inside has names of its own, so that the two ends outside keep theirs.
    for node in body.node:
        rename_inputs(node, {WAVEFORM: "one.row"})
        node.output[:] = ["one.features" if name == FEATURES else name for name in node.output]
    row = Builder(onnx.GraphProto(), place="one")
    row.node("Unsqueeze", "one.waveform", row.ints(0), name="one.row")
    body.node.insert(0, row.graph.node[0])
    last = Builder(body, place="one.last")
    last.node("Squeeze", "one.features", last.ints(0), name="one.answer")
    body.initializer.extend(row.graph.initializer)
    del body.input[:], body.output[:], body.value_info[:]
    sizes = [d.dim_value for d in inner.output[0].type.tensor_type.shape.dim][1:]
    body.input.append(_tensor("one.waveform", [traced.window_samples]))
    body.output.append(_tensor("one.answer", sizes))
    outer = onnx.GraphProto(name=inner.name, input=inner.input, output=inner.output)
    # Weights stand outside, where `earlet_export.passes` find them.
    outer.initializer.extend(body.initializer)
    del body.initializer[:]
    outer.node.append(
        helper.make_node(
            "Scan", [WAVEFORM], [FEATURES], f"{inner.name}/one by one", body=body, num_scan_inputs=1
        )
    )
    frontend = onnx.ModelProto()
    frontend.CopyFrom(traced.frontend)
    frontend.graph.CopyFrom(outer)
    onnx.checker.check_model(frontend, full_check=True)
    return dataclasses.replace(traced, frontend=frontend)


def _tensor(name: str, sizes: Sequence[int | str | None]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)


def _put(graph: onnx.GraphProto, inner: onnx.ModelProto, ends: Mapping[str, str]) -> None:
    """The foreign nodes and weights, fed from `ends`."""
    for port, source in ends.items():
        graph.node.append(helper.make_node("Identity", [source], [port], name=f"around/{port}"))
    graph.node.extend(inner.graph.node)
    graph.initializer.extend(inner.graph.initializer)


def _part(inner: onnx.ModelProto, nodes: Sequence[onnx.NodeProto]) -> onnx.ModelProto:
    part = onnx.ModelProto()
    part.CopyFrom(inner)
    del part.graph.node[:]
    part.graph.node.extend(nodes)
    used = {name for node in nodes for name in inputs_of(node)}
    kept = [w for w in part.graph.initializer if w.name in used]
    del part.graph.initializer[:]
    part.graph.initializer.extend(kept)
    return part


def _model(graph: onnx.GraphProto) -> onnx.ModelProto:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    model.producer_name, model.producer_version = "earlet", ""
    sweep(model)
    onnx.checker.check_model(model)
    return model


def _port(name: str, *, values: Values) -> onnx.ValueInfoProto:
    """A port of these numbers' kind and rank, its sizes open."""
    kind = helper.np_dtype_to_tensor_dtype(values.dtype)
    return helper.make_tensor_value_info(name, kind, [None] * values.ndim)


def _batch(ports: Ports, feed: Feed) -> int:
    sound = feed[PREFIX + ports.sound]
    return int(sound.shape[ports.shape.index("B")]) if ports.batched else 1


def _waveform(spec: Spec) -> onnx.ValueInfoProto:
    size: list[str | int | None] = ["B", spec.data.window_samples]
    return helper.make_tensor_value_info(WAVEFORM, TensorProto.FLOAT, size)


def _logits(spec: Spec) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, ["B", len(spec.labels)])
