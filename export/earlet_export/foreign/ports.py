"""What a foreign model takes and gives, found in its file and held against its manifest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from earlet.errors import BundleError, RecipeError
from earlet_export.foreign.graph import Values
from earlet_export.foreign.spec import Spec

Array = NDArray[np.float32]
Axis = str | int
_WITH_FRONTEND = (
    "Put its frontend before it, as ONNX (onnx.compose joins two files) or as a torch module that "
    "takes the waveform (package.module:factory), and adopt that."
)


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The model's ends by the model's own names.

    `sound`: the input that takes it; `shape`: its axes, "B", "T" and ones; `dtype` of its numbers.
    `states`: input -> its shape, with "B" where the batch goes, and number type. `constants`: input
    -> what it is given with one recording. `answer`: the output. `batched`: whether one call takes
    several recordings.
    """

    sound: str
    shape: tuple[Axis, ...]
    dtype: "np.dtype[Any]"
    states: Mapping[str, tuple[tuple[Axis, ...], "np.dtype[Any]"]]
    constants: Mapping[str, Values]
    answer: str
    batched: bool


def find_ports(model: onnx.ModelProto, spec: Spec) -> Ports:
    """Model file and manifest -> Ports.

    Raises BundleError where the model takes no waveform, RecipeError where the two do not fit.
    """
    weights = {w.name for w in model.graph.initializer}
    inputs = {p.name: p for p in model.graph.input if p.name not in weights}
    outputs = {p.name: p for p in model.graph.output}
    if not inputs or not outputs:
        raise BundleError(
            f"{spec.source}: the model has {len(inputs)} inputs and {len(outputs)} outputs, and a "
            "detector takes a waveform and gives an answer. Export it again."
        )
    states = spec.chunks.states if spec.chunks is not None else {}
    for kind, wanted, found in (
        ("[input.constants]", spec.input.constants, inputs),
        ("[chunks.states]", states, inputs),
        ("[chunks.states], as an output,", states.values(), outputs),
        ("[input] name", [spec.input.name] if spec.input.name else [], inputs),
        ("[output] name", [spec.output.name] if spec.output.name else [], outputs),
    ):
        for name in wanted:
            if name not in found:
                raise RecipeError(
                    f"{spec.source}: {kind} names {name!r}, and the model has "
                    f"{', '.join(found) or 'none'}."
                )
    left = [n for n in inputs if n not in spec.input.constants and n not in states]
    sound = spec.input.name or _only(left, "input", "[input] name", spec, inputs)
    if left != [sound]:
        more = [name for name in left if name != sound]
        raise RecipeError(
            f"{spec.source}: the model also takes {', '.join(more)}, and nothing says what to give "
            "it. Add it to [input.constants], or to [chunks.states] where it is a memory."
        )
    answers = [n for n in outputs if n not in states.values()]
    answer = spec.output.name or _only(answers, "output", "[output] name", spec, outputs)
    shape = _sound_shape(inputs[sound], spec)
    batched = "B" in shape
    return Ports(
        sound=sound,
        shape=shape,
        dtype=_dtype(inputs[sound]),
        states={name: _state(inputs[name], batched=batched, spec=spec) for name in states},
        constants={
            name: _constant(inputs[name], number, like=inputs[sound], shape=shape, spec=spec)
            for name, number in spec.input.constants.items()
        },
        answer=answer,
        batched=batched,
    )


def with_constants(model: onnx.ModelProto, ports: Ports, spec: Spec) -> onnx.ModelProto:
    """The model with its constant inputs filled in and its length fixed; open shapes elsewhere."""
    filled = onnx.ModelProto()
    filled.CopyFrom(model)
    graph = filled.graph
    for name, value in ports.constants.items():
        port = next(p for p in graph.input if p.name == name)
        graph.input.remove(port)
        graph.initializer.append(numpy_helper.from_array(value, name))
    for port in graph.input:
        if port.name == ports.sound:
            _set_shape(port, [spec.piece_samples if a == "T" else a for a in ports.shape])
        elif port.name in ports.states:
            _set_shape(port, list(ports.states[port.name][0]))
    for port in graph.output:
        port.type.tensor_type.ClearField("shape")
    del graph.value_info[:]
    return filled


def as_the_model_wants(pieces: Array, ports: Ports, spec: Spec) -> Values:
    """Pieces of sound [B, samples], -1 to 1 -> the array for the model's own port."""
    scaled = pieces * np.float32(spec.input.full_scale)
    if np.issubdtype(ports.dtype, np.integer):
        scaled = np.clip(np.rint(scaled), *integer_limits(ports.dtype))
    sizes = [-1 if a == "B" else pieces.shape[1] if a == "T" else 1 for a in ports.shape]
    wanted: Values = scaled.astype(ports.dtype).reshape(sizes)
    return wanted


def zeros(ports: Ports, *, batch: int) -> dict[str, Values]:
    """Every state as it is before the first piece."""
    return {
        name: np.zeros([batch if a == "B" else int(a) for a in shape], dtype=dtype)
        for name, (shape, dtype) in ports.states.items()
    }


def integer_limits(dtype: "np.dtype[Any]") -> tuple[int, int]:
    """The smallest and largest number of an integer kind."""
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def _only(
    names: list[str], what: str, key: str, spec: Spec, ports: Mapping[str, onnx.ValueInfoProto]
) -> str:
    if len(names) != 1:
        listed = ", ".join(f"{n} {_dims(p)}" for n, p in ports.items()) or "none"
        raise RecipeError(
            f"{spec.source}: the model's {what}s are {listed}; say with {key} which one it is."
        )
    return names[0]


def _sound_shape(port: onnx.ValueInfoProto, spec: Spec) -> tuple[Axis, ...]:
    """The axes of the sound: as the manifest says, or by the rank; held against the file."""
    dims = _dims(port)
    by_rank: dict[int, tuple[Axis, ...]] = {1: ("T",), 2: ("B", "T"), 3: ("B", 1, "T")}
    if len(dims) not in by_rank and spec.input.shape is None:
        raise BundleError(
            f"{spec.source}: the input {port.name!r} has the shape {dims}, and sound is one number "
            f"after the other: this model takes features, not a waveform. {_WITH_FRONTEND}"
        )
    shape = spec.input.shape or by_rank[len(dims)]
    if len(shape) != len(dims):
        raise RecipeError(
            f"{spec.source}: [input] shape {list(shape)} has {len(shape)} axes, the model's input "
            f"{port.name!r} {dims} has {len(dims)}."
        )
    found = []
    for axis, dim in zip(shape, dims, strict=True):
        if axis == "T" and isinstance(dim, int) and dim != spec.piece_samples:
            raise RecipeError(
                f"{spec.source}: the model takes {dim} samples at once, and the manifest gives it "
                f"{spec.piece_samples} ([data] window_samples, or [chunks] samples + context)."
            )
        if axis == 1 and isinstance(dim, int) and dim != 1:
            raise BundleError(
                f"{spec.source}: the input {port.name!r} {dims} has an axis of {dim} where one "
                "channel belongs: this model takes features or several microphones, not a "
                f"waveform. {_WITH_FRONTEND}"
            )
        # A batch that the file fixes to one is no batch.
        found.append(1 if axis == "B" and dim == 1 else axis)
        if axis == "B" and isinstance(dim, int) and dim != 1:
            raise RecipeError(
                f"{spec.source}: the model takes {dim} recordings at once, no more and no fewer. "
                "Export it with an open batch, or a batch of one."
            )
    return tuple(found)


def _state(
    port: onnx.ValueInfoProto, *, batched: bool, spec: Spec
) -> tuple[tuple[Axis, ...], "np.dtype[Any]"]:
    shape: list[Axis] = []
    for dim in _dims(port):
        if isinstance(dim, int):
            shape.append(dim)
        elif "B" in shape:
            raise RecipeError(
                f"{spec.source}: the state {port.name!r} {_dims(port)} leaves two axes open, and "
                "only the batch may be. Export the model with fixed states."
            )
        else:
            shape.append("B" if batched else 1)
    return tuple(shape), _dtype(port)


def _constant(
    port: onnx.ValueInfoProto,
    number: float,
    *,
    like: onnx.ValueInfoProto,
    shape: tuple[Axis, ...],
    spec: Spec,
) -> Values:
    """That number in every place of the port. `like`: the sound's port, `shape`: its axes.

    A port with the sound's open axes, a mask over its samples, has its sizes.
    """
    sizes = {"T": spec.piece_samples, "B": 1, 1: 1}
    named = {
        dim: sizes[axis]
        for dim, axis in zip(_dims(like), shape, strict=True)
        if isinstance(dim, str)
    }
    dims = _dims(port)
    if dims == _dims(like):
        # Also where neither names its open axes.
        return np.full([sizes[axis] for axis in shape], number, dtype=_dtype(port))
    for dim in dims:
        if isinstance(dim, str) and dim not in named and len(dims) > 1:
            raise RecipeError(
                f"{spec.source}: the input {port.name!r} {dims} of [input.constants] leaves "
                f"{dim!r} open, which is no axis of the sound's input {like.name!r} "
                f"{_dims(like)}. Export the model with that size fixed."
            )
    filled = [named.get(dim, 1) if isinstance(dim, str) else dim for dim in dims]
    return np.full(filled, number, dtype=_dtype(port))


def _dims(port: onnx.ValueInfoProto) -> list[int | str]:
    return [
        d.dim_value if d.HasField("dim_value") else d.dim_param or "?"
        for d in port.type.tensor_type.shape.dim
    ]


def _dtype(port: onnx.ValueInfoProto) -> "np.dtype[Any]":
    kind = port.type.tensor_type.elem_type
    try:
        dtype: np.dtype[Any] = helper.tensor_dtype_to_np_dtype(kind)
    except KeyError:
        raise BundleError(f"the port {port.name!r} of the model is no plain tensor.") from None
    return dtype


def _set_shape(port: onnx.ValueInfoProto, dims: list[Axis]) -> None:
    shape = port.type.tensor_type.shape
    del shape.dim[:]
    for dim in dims:
        if isinstance(dim, int):
            shape.dim.add(dim_value=dim)
        else:
            shape.dim.add(dim_param=dim)
