"""Learns the range of every tensor of the model graph from real features: what its scales span.

Three methods. `minmax` takes the smallest and largest value seen. `percentile` leaves one value in
a hundred thousand outside, `entropy` as many as keep most of what the histogram tells: both spend
more of the 256 steps where the values lie, and clip the rest.

ONNX Runtime's calibrators for the last two fall over clips of different lengths, hold every tensor
of every clip in memory until the end, and let a first quiet clip set a bin width that the loud ones
then need millions of bins of. Here they get one length, one clip at a time, and histograms whose
ends a first pass with `minmax` has already found.
"""

import contextlib
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationMethod
from onnxruntime.quantization.calibrate import (
    CalibrationDataReader,
    HistogramCollector,
    create_calibrator,
)
from onnxruntime.quantization.registry import QDQRegistry

from earlet.errors import UsageError
from earlet_export.quiet import quiet

Array = NDArray[np.float32]
Statistic = Literal["minmax", "entropy", "percentile"]
STATISTICS: tuple[Statistic, ...] = get_args(Statistic)
# What a recipe may ask for. `own-level`: minmax over recordings as loud as they are, not at three
# levels: for networks that a quiet recording drives where nothing they were trained on does.
Method = Literal["minmax", "entropy", "percentile", "own-level"]
METHODS: tuple[Method, ...] = get_args(Method)
LAST_RESORT: Method = "own-level"

# A histogram of a tensor is full long before its extremes are known: so many clips, drawn from all,
# and the export of a large network stays a matter of minutes.
HISTOGRAM_CLIPS = 48
# The entropy method weighs each pair of bins against 128 steps: its time grows with their square.
_BINS = {"entropy": 512, "percentile": 2048}
_STEPS = 128
_PERCENTILE = 99.999


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """What every tensor's scale is to span. `clips`: how many the method looked at."""

    data: Any
    clips: int
    method: Statistic = "minmax"


def observe(
    model: onnx.ModelProto, features: Iterable[Array], *, method: Statistic = "minmax"
) -> Ranges:
    """Model graph, features [1, C, F, N] of each clip -> every tensor's range over all of them.

    Raises UsageError where the clips differ in shape or there is none.
    """
    if method == "minmax":
        reader = _Reader(model.graph.input[0].name, _of_one_shape(features))
        with _calibrator(model, "minmax") as calibrator:
            calibrator.collect_data(reader)
            return Ranges(data=calibrator.compute_data(), clips=reader.clips)
    clips = list(_of_one_shape(features))
    ends = observe(model, clips).data
    some = _some(clips)
    with _calibrator(model, method) as calibrator:
        calibrator.collector = _collector(method, ends)
        for clip in some:
            calibrator.collect_data(_Reader(model.graph.input[0].name, [clip]))
        return Ranges(data=calibrator.compute_data(), clips=len(some), method=method)


@contextlib.contextmanager
def _calibrator(model: onnx.ModelProto, method: Statistic) -> Iterator[Any]:
    """ONNX Runtime's own, on a copy of the graph that also gives away its inner tensors."""
    with (
        tempfile.TemporaryDirectory(prefix="earlet-") as folder,
        quiet(),
        # It prints what it is about to do.
        contextlib.redirect_stdout(io.StringIO()),
    ):
        plain, augmented = Path(folder) / "model.onnx", Path(folder) / "augmented.onnx"
        onnx.save(model, plain)
        options: dict[str, object] = {}
        if method != "minmax":
            options = {"num_bins": _BINS[method], "symmetric": False}
            options["num_quantized_bins" if method == "entropy" else "percentile"] = (
                _STEPS if method == "entropy" else _PERCENTILE
            )
        yield create_calibrator(
            plain,
            op_types_to_calibrate=list(QDQRegistry),
            augmented_model_path=str(augmented),
            calibrate_method=_KINDS[method],
            extra_options=options,
        )


_KINDS = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}


def _collector(method: Statistic, ends: Any) -> HistogramCollector:
    """Empty histograms from -end to end of each tensor, so that no clip can make them grow."""
    collector = HistogramCollector(
        method=method,
        symmetric=False,
        num_bins=_BINS[method],
        num_quantized_bins=_STEPS,
        percentile=_PERCENTILE,
        scenario="same",
    )
    for name in ends:
        low, high = (float(np.asarray(end).item()) for end in ends[name].range_value)
        # A tensor of zeros needs some width, or its bins have none.
        end = max(abs(low), abs(high), 1e-6)
        counts, edges = np.histogram(np.zeros(0), _BINS[method], range=(-end, end))
        collector.histogram_dict[name] = (
            counts,
            *(np.asarray(found, dtype=np.float32) for found in (edges, low, high, end)),
        )
    return collector


def _of_one_shape(features: Iterable[Array]) -> Iterator[Array]:
    """The same clips; UsageError at the first one of another shape than the one before it."""
    shape: tuple[int, ...] | None = None
    for number, clip in enumerate(features, start=1):
        if shape is not None and clip.shape != shape:
            raise UsageError(
                f"calibration clip {number} has features of shape {list(clip.shape)}, the ones "
                f"before it {list(shape)}. Cut all of them to one window: ONNX Runtime's "
                "calibrators take one length only."
            )
        shape = clip.shape
        yield clip
    if shape is None:
        raise UsageError("there is no clip to calibrate int8 with. Give at least one.")


def _some(clips: Sequence[Array]) -> list[Array]:
    """At most HISTOGRAM_CLIPS of them, the same each time. (Every third is of one level.)"""
    if len(clips) <= HISTOGRAM_CLIPS:
        return list(clips)
    drawn = np.random.default_rng(0).choice(len(clips), HISTOGRAM_CLIPS, replace=False)
    return [clips[i] for i in sorted(drawn)]


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hands the calibrator one clip at a time."""

    def __init__(self, name: str, features: Iterable[Array]) -> None:
        self._name, self._features = name, iter(features)
        self.clips = 0

    def get_next(self) -> dict[str, Array] | None:
        clip = next(self._features, None)
        if clip is None:
            return None
        self.clips += 1
        return {self._name: clip}
