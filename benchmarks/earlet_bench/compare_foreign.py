"""Makes an ONNX file that nobody described comparable, and says what had to be assumed for it.

A bundle says what goes in and what its numbers mean. Another program's model has one input that
may be sound and one output that may be logits; the rest is taken from the detector that it is
compared with. Every assumption is a sentence, so that a wrong one can be seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from earlet.bundle import sha256
from earlet.bundle_limits import read_plain
from earlet.errors import BundleError, UsageError
from earlet.golden import signals
from earlet.manifest import Calibration, WindowPolicy
from earlet.onnx_file import inspect
from earlet_bench.evaluation.subject import Subject

Array = NDArray[np.float32]

FOREIGN = "foreign"
DEFAULT_RATE_HZ, DEFAULT_WINDOW_S = 16_000, 4
# A fixed input shorter than this (25 ms at 16 kHz) is a frame of features, not a window of sound.
SHORTEST_SOUND = 400
# Probabilities of exactly 0 and 1 have no logarithm.
_LEAST_PROBABILITY = 1e-7


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """A model made a Subject. `assumed`: a sentence for each thing that nothing in it says."""

    subject: Subject
    size_bytes: int
    assumed: tuple[str, ...]


def open_foreign(path: Path, *, like: Subject | None, threads: int) -> Foreign:
    """An ONNX file without earlet's manifest, understood as `like` is. BundleError, UsageError.

    One float32 input [T], [B, T] or [B, 1, T] and one float32 output; anything else needs
    somebody's word: `earlet adopt`.
    """
    data = read_plain(path, links=True)
    inspect(data, source=str(path))
    session = _session(data, source=str(path), threads=threads)
    graph = _Graph.of(session, source=str(path))
    assumed = [f"its input {graph.source!r} is sound in [-1, 1]"]
    rate_hz = DEFAULT_RATE_HZ if like is None else like.sample_rate_hz
    assumed.append(f"at {rate_hz} Hz")
    window = _window(graph, like, rate_hz=rate_hz)
    if graph.samples is None:
        assumed.append(f"in windows of {window.window_samples} samples")
    waves = np.stack(list(signals(window=window, sample_rate_hz=rate_hz).values()))
    answers = np.stack([graph.answer(wave) for wave in waves])
    probabilities = _are_probabilities(answers)
    classes = max(2, answers.shape[1])
    labels = _labels(classes, like)
    positive = like.positive if like is not None and like.positive in labels else labels[-1]
    assumed.append(_words(graph, answers.shape[1], probabilities, labels, positive))
    assumed.append("no calibration, threshold 0")
    return Foreign(
        subject=Subject(
            name=path.name,
            version="",
            precision=FOREIGN,
            sha256=sha256(data),
            labels=labels,
            positive=positive,
            sample_rate_hz=rate_hz,
            window=window,
            calibration=Calibration(),
            threshold=0.0,
            logits=lambda windows: np.stack(
                [_logits(graph.answer(wave), probabilities=probabilities) for wave in windows]
            ),
        ),
        size_bytes=len(data),
        assumed=tuple(assumed),
    )


@dataclass(frozen=True, kw_only=True)
class _Graph:
    """The session with its one input and output. `rank` of the input; `samples` where fixed."""

    session: Any
    source: str
    target: str
    rank: int
    samples: int | None
    path: str

    @classmethod
    def of(cls, session: Any, *, source: str) -> "_Graph":
        """Raises UsageError where the model does not look like waveform in, answer out."""
        inputs, outputs = session.get_inputs(), session.get_outputs()
        found = _listed(inputs) + " -> " + _listed(outputs)
        if len(inputs) != 1 or len(outputs) != 1:
            raise _unlike(source, found, "one input and one output (no states, no lengths)")
        (entry,), (answer,) = inputs, outputs
        if entry.type != "tensor(float)" or answer.type != "tensor(float)":
            raise _unlike(source, found, "float32 in and out")
        shape = entry.shape
        if len(shape) not in (1, 2, 3) or (len(shape) == 3 and shape[1] != 1):
            raise _unlike(source, found, "an input [T], [B, T] or [B, 1, T]")
        length = shape[-1] if isinstance(shape[-1], int) else None
        if length is not None and length < SHORTEST_SOUND:
            raise _unlike(source, found, f"windows of at least {SHORTEST_SOUND} samples")
        return cls(
            session=session,
            source=entry.name,
            target=answer.name,
            rank=len(shape),
            samples=length,
            path=source,
        )

    def answer(self, wave: Array) -> Array:
        """Waveform [T] -> what the model says of it, flat [K]. Raises BundleError."""
        batch = np.ascontiguousarray(wave, dtype=np.float32).reshape([1] * (self.rank - 1) + [-1])
        try:
            (found,) = self.session.run([self.target], {self.source: batch})
        # onnxruntime's own exceptions share no base below Exception.
        except Exception as error:
            raise BundleError(
                f"{self.path} failed on {batch.shape}: {str(error).splitlines()[0]}"
            ) from error
        flat: Array = np.asarray(found, dtype=np.float32).reshape(-1)
        return flat


def _session(data: bytes, *, source: str, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    # onnxruntime's own exceptions share no base below Exception.
    except Exception as error:
        raise BundleError(
            f"{source} is not a model that onnxruntime {onnxruntime.__version__} can run: "
            f"{str(error).splitlines()[0]}"
        ) from None


def _window(graph: _Graph, like: Subject | None, *, rate_hz: int) -> WindowPolicy:
    """The other detector's policy where the length allows it."""
    if like is not None and graph.samples in (None, like.window.window_samples):
        return like.window
    samples = graph.samples or DEFAULT_WINDOW_S * rate_hz
    return WindowPolicy(
        window_samples=samples, hop_samples=samples, min_samples=max(1, samples // 4)
    )


def _labels(classes: int, like: Subject | None) -> tuple[str, ...]:
    if like is not None and len(like.labels) == classes:
        return like.labels
    return tuple(f"class {k}" for k in range(classes))


def _are_probabilities(answers: Array) -> bool:
    """Answers [S, K] to the golden signals: all in 0..1, and of several classes summing to 1."""
    inside = bool(((answers >= 0) & (answers <= 1)).all())
    if answers.shape[1] == 1:
        # Logits of 17 nasty signals that all lie in 0..1 are not to be expected.
        return inside
    return inside and bool(np.allclose(answers.sum(axis=1), 1, atol=1e-3))


def _logits(answer: Array, *, probabilities: bool) -> Array:
    """One answer [K] -> logits [max(2, K)]: a single number is the log-odds of the second class."""
    wide = answer.astype(np.float64)
    if probabilities:
        wide = np.clip(wide, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
        wide = np.log([1 - wide[0], wide[0]] if len(wide) == 1 else wide)
    elif len(wide) == 1:
        wide = np.array([0.0, wide[0]])
    return wide.astype(np.float32)


def _words(
    graph: _Graph, count: int, probabilities: bool, labels: Sequence[str], positive: str
) -> str:
    kind = "probabilities (all lie in 0..1)" if probabilities else "logits"
    if count == 1:
        meaning = f"of {labels[1]!r} against {labels[0]!r}"
    else:
        meaning = f"of {', '.join(repr(label) for label in labels)}, in this order"
    return f"its output {graph.target!r} is {kind} {meaning}; what it is to find is {positive!r}"


def _unlike(source: str, found: str, expected: str) -> UsageError:
    return UsageError(
        f"{source} carries no manifest of earlet and does not look like a detector: it has "
        f"{found}; expected {expected}. Say what it is with `earlet adopt`, and compare the bundle."
    )


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(f"{v.name} {v.shape} {v.type}" for v in values) or "none"
