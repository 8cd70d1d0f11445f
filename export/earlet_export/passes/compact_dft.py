"""Stores Fourier and cosine kernels as the few integers that make them, instead of as numbers.

A transform of 512 samples carries 130 kB of cosines, of 2048 samples a megabyte: more than the
weights of a small int8 network. All of them are cos(2 pi (turns * j + start) / period) with whole
numbers (`earlet_export.passes.waves`), so the graph computes them. Nothing in that depends on the
input: ONNX Runtime does it once, while it loads the file ("constant folding", from ORT_ENABLE_BASIC
on), and what runs afterwards is the same graph as before.

Needs: any graph with stored constants; meant for the frontend's, after the model was quantized
(the quantizer's own preprocessing would fold the recipes back into numbers).

1. A float constant of `WORTH_BYTES` or more that `recognise` takes for waves becomes

       Sin(numbers @ steps) * taper

   `numbers`, a row each: its whole turns and where it starts. `steps`: 2 pi / period * (0, 1, 2 ..)
   over 2 pi / period. In float64: the angles reach hundreds of turns, whose fractions float32 would
   lose (1.5e-5 of the features, as others measured); float64 keeps ten digits of them, so only the
   last rounding is left after the cast. Sin and not Cos, because ONNX Runtime has had Sin in
   float64 the longest. Six nodes: a node costs more time while loading than a thousand sines.
2. A taper of `WORTH_TAPER_BYTES` or more that is a sum of cosines is computed in the same way.
3. `numbers` are stored in the narrowest integer type that holds them, and so are the `steps` of
   rows longer than `LONGEST_STORED`.
4. A constant that gets no smaller this way stays as it is.

Leaves: the same inputs, outputs and names of the nodes that were there. Each constant differs from
the stored one by at most `waves.TOLERANCE` of its largest value, and by the last rounding where its
window is a sum of cosines. That is checked on what ONNX Runtime itself computes, as is that it
folds the recipes away. Raises ParityError where either does not hold.
"""

import math

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from earlet_export.passes.recipe import Recipe, replace_constants
from earlet_export.passes.waves import TOLERANCE, Waves, recognise, steps

# Below this a recipe takes up about what it saves.
WORTH_BYTES = 4096
LONGEST_STORED = 64
WORTH_TAPER_BYTES = 8192
MARK = ":waves/"


def compact_dft(model: onnx.ModelProto) -> onnx.ModelProto:
    """Graph with stored kernels -> the same graph with recipes for them, and checked."""
    return replace_constants(model, _waves, mark=MARK, tolerance=TOLERANCE)


def _waves(tensor: onnx.TensorProto) -> Recipe | None:
    if tensor.data_type != TensorProto.FLOAT or tensor.ByteSize() < WORTH_BYTES:
        return None
    found = recognise(numpy_helper.to_array(tensor))
    return None if found is None else recipe(tensor.name, found)


def recipe(name: str, waves: Waves) -> Recipe:
    """Rule 1: the nodes and constants that make the table `name`."""
    made = Recipe(name, mark=MARK)
    numbers = made.node("Cast", made.narrow("numbers", waves.numbers), to=TensorProto.DOUBLE)
    angle = made.node("MatMul", numbers, _steps(made, waves.period, waves.length))
    table = made.node("Sin", angle)
    if waves.taper.size > 1 or waves.taper.flat[0] != 1:
        if waves.numbers.ndim > 2:
            rows = np.array([-1, waves.shape[-1]])
            table = made.node("Reshape", table, made.constant("rows", rows))
        table = made.node("Mul", table, _taper(made, waves))
    table = made.node("Cast", table, to=TensorProto.FLOAT)
    made.node("Reshape", table, made.constant("shape", np.array(waves.shape)), output=name)
    return made


def _taper(made: Recipe, waves: Waves) -> str:
    """Rule 2: the taper [G, 1, C], computed where that is shorter by much."""
    if waves.window is None or waves.taper.nbytes < WORTH_TAPER_BYTES:
        return made.constant("taper", waves.taper[:, None])
    (groups, columns), window = waves.taper.shape, waves.window
    # cos(2 pi i (g + G c) / period), in quarters of a step: a sine's lead may be no whole step.
    i, g = np.meshgrid(np.arange(len(window.weights)), np.arange(groups), indexing="ij")
    pairs = np.stack([4 * i * groups, 4 * i * g + window.period], axis=-1)[:, :, None]
    numbers = made.node("Cast", made.narrow("window", pairs), to=TensorProto.DOUBLE)
    angle = made.node("MatMul", numbers, _steps(made, 4 * window.period, columns, label="along"))
    weights = made.constant("weights", window.weights[:, None, None, None])
    terms = made.node("Mul", made.node("Sin", angle), weights)
    return made.node("ReduceSum", terms, made.constant("terms", np.array([0])), keepdims=0)


def _steps(made: Recipe, period: int, length: int, *, label: str = "steps") -> str:
    """The angles that the whole numbers multiply: stored where short, else counted out."""
    if length <= LONGEST_STORED:
        return made.constant(label, steps(period, length))
    counted = np.stack([np.arange(length), np.ones(length, dtype=int)])
    whole = made.node("Cast", made.narrow(label, counted), to=TensorProto.DOUBLE)
    return made.node(
        "Mul", whole, made.constant(f"{label}_angle", np.float64(2 * math.pi / period))
    )
