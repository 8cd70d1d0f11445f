"""Where an answer has its moments: for models that say something about every stretch of a window.

Speech and event detectors often answer frame by frame. The manifest's [output] says which axis that
is and what of its moments counts for the window.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from earlet.errors import RecipeError
from earlet_export.foreign.spec import Spec

# Without [output] shape: an axis for the recordings, one for the moments, and perhaps one for the
# numbers of a moment.
_BY_RANK = {1: ("T",), 2: ("B", "T"), 3: ("B", "T", "K")}


class Layout(NamedTuple):
    """How an answer is turned into [recordings, moments, numbers]: its axes in their new order."""

    order: tuple[int, ...]
    moments: int
    numbers: int


def layout(shape: tuple[int, ...], spec: Spec, *, batch: int) -> Layout:
    """Of an answer of this shape to `batch` recordings. Raises RecipeError where it does not fit.

    An answer without moments has a single one.
    """
    size = int(np.prod(shape))
    if spec.output.moments is None:
        return Layout(order=tuple(range(len(shape))), moments=1, numbers=size // batch)
    axes = spec.output.shape or _BY_RANK.get(len(shape))
    if axes is None or len(axes) != len(shape):
        raise RecipeError(
            f"{spec.source}: the model's answer has the shape {list(shape)}. Say with [output] "
            f"shape which of its {len(shape)} axes is what: 'B' recordings, 'T' moments, 'K' the "
            f"numbers of a moment, 1 nothing{_but(axes)}."
        )
    sizes = dict(zip(axes, shape, strict=True))
    ones = [n for axis, n in zip(axes, shape, strict=True) if axis == 1]
    if any(n != 1 for n in ones) or sizes.get("B", 1) != batch:
        raise RecipeError(
            f"{spec.source}: [output] shape is {list(axes)}, and the model's answer to {batch} "
            f"recording{'s' if batch > 1 else ''} has the shape {list(shape)}."
        )
    order = sorted(range(len(axes)), key=lambda i: ("B", "T", "K", 1).index(axes[i]))
    return Layout(order=tuple(order), moments=sizes["T"], numbers=sizes.get("K", 1))


def by_moment(answer: NDArray[Any], spec: Spec) -> NDArray[np.float32]:
    """The answer to one recording, as the model gives it -> [moments, numbers]. RecipeError."""
    found = layout(answer.shape, spec, batch=1)
    turned = answer.transpose(found.order).reshape(found.moments, found.numbers)
    return np.ascontiguousarray(turned, dtype=np.float32)


def _but(axes: tuple[Any, ...] | None) -> str:
    return "" if axes is None else f" (found {list(axes)})"
