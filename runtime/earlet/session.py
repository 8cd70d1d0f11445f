"""Runs one ONNX graph with onnxruntime: waveforms in, logits out, and nothing left to chance."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earlet.errors import AudioError, BundleError, MissingExtra, UsageError
from earlet.onnx_file import inspect

INPUT, OUTPUT = "waveform", "logits"


class Session:
    """One graph, ready to answer; safe to share between threads.

    One thread unless asked for more: on the small graphs here a second one rarely pays, and the
    default of onnxruntime (all cores, spinning while idle) costs up to 40 % of a small computer.
    """

    def __init__(
        self,
        model: bytes,
        *,
        source: str,
        threads: int = 1,
        shortest_samples: int = 1,
        accept: Callable[[Mapping[str, str]], None] = lambda _: None,
    ) -> None:
        """`source` names the file in errors. Raises BundleError where the contract is broken.

        `shortest_samples`: what its manifest says that a graph of open length needs. `accept` is
        shown the file's metadata, and may raise, before onnxruntime sees a byte.
        """
        if threads < 1:
            raise UsageError(f"threads must be at least 1, found {threads}.")
        self.source, self.shortest_samples = source, shortest_samples
        # onnxruntime would follow a tensor's pointer to another file; this refuses it.
        self.metadata: Mapping[str, str] = inspect(model, source=source).metadata
        accept(self.metadata)
        self._run = open_graph(model, source=source, threads=threads)
        self._check_contract()

    @property
    def window_samples(self) -> int | None:
        """The length the graph is fixed to; None where it takes any."""
        return _fixed(self._run.get_inputs()[0].shape[1])

    @property
    def classes(self) -> int | None:
        """K of the logits; None where the graph does not state it."""
        return _fixed(self._run.get_outputs()[0].shape[1])

    def logits(self, waveforms: NDArray[np.float32]) -> NDArray[np.float32]:
        """Waveforms [B, T] -> logits [B, K]. Raises AudioError on a shape the graph cannot take.

        T is the window, or, where `window_samples` is None, anything from `shortest_samples` on.
        """
        if waveforms.ndim != 2:
            raise AudioError(f"expected waveforms [B, T], found shape {waveforms.shape}.")
        window = self.window_samples
        if window is not None and waveforms.shape[1] != window:
            raise AudioError(
                f"{self.source} takes windows of {window} samples, found {waveforms.shape[1]}. "
                "Cut the recording with earlet.windows.fit, or call a Detector, which does."
            )
        if waveforms.shape[1] < self.shortest_samples:
            raise AudioError(
                f"{self.source} takes {self.shortest_samples} samples or more, found "
                f"{waveforms.shape[1]}. Give a longer recording, or call a Detector, which fills "
                "a short one up by its bundle's rule."
            )
        feed = {INPUT: np.ascontiguousarray(waveforms, dtype=np.float32)}
        try:
            (logits,) = self._run.run([OUTPUT], feed)
        # onnxruntime's own exceptions share no base below Exception.
        except Exception as error:
            raise BundleError(
                f"{self.source} failed on waveforms {waveforms.shape}: {_first_line(error)}"
            ) from error
        answer: NDArray[np.float32] = logits
        if answer.ndim != 2 or len(answer) != len(waveforms):
            raise BundleError(
                f"{self.source} answered {len(waveforms)} waveforms with shape {answer.shape}, "
                f"expected [{len(waveforms)}, K]. Export it again."
            )
        return answer

    def _check_contract(self) -> None:
        """One float input `waveform` [B, T], one float output `logits` [B, K]."""
        for kind, name, found in (
            ("input", INPUT, self._run.get_inputs()),
            ("output", OUTPUT, self._run.get_outputs()),
        ):
            listed = ", ".join(f"{v.name} {v.shape} {v.type}" for v in found) or "none"
            fits = (
                len(found) == 1
                and found[0].name == name
                and found[0].type == "tensor(float)"
                and len(found[0].shape) == 2
            )
            if not fits:
                raise BundleError(
                    f"{self.source} has {kind}s {listed}; expected one, {name!r}, float32 with two "
                    "dimensions. It was not written by earlet: make one with earlet export."
                )


def open_graph(model: bytes, *, source: str, threads: int) -> Any:
    """Bytes -> onnxruntime.InferenceSession on the CPU alone."""
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        if error.name != "onnxruntime":
            raise
        raise MissingExtra(module="onnxruntime", extra=None) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Errors come back as exceptions; onnxruntime would print them on stderr besides.
    options.log_severity_level = 3
    # The value must be a string. Spinning threads keep a core busy between two windows.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # Else bytes that begin like its own format are taken for that, whatever they are called.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return onnxruntime.InferenceSession(
            model, sess_options=options, providers=["CPUExecutionProvider"]
        )
    # onnxruntime's own exceptions share no base below Exception.
    except Exception as error:
        raise BundleError(
            f"{source} is not a model that onnxruntime {onnxruntime.__version__} can run: "
            f"{_first_line(error)}"
        ) from None


def _fixed(dimension: object) -> int | None:
    return dimension if isinstance(dimension, int) else None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
