"""Runs a foreign model the way its authors do: piece by piece, its memory carried along in Python.

This is the original that the bundle's graphs are held against, so it shares no code with them: no
optimization, no graph of ours, one recording at a time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from earlet_export.foreign.moments import by_moment
from earlet_export.foreign.ports import Array, Ports, as_the_model_wants, zeros
from earlet_export.foreign.spec import Pool, Spec


class Original(Protocol):
    """Windows [B, T] -> what the model said to each piece of each, float32 [B, S, M, n].

    M: moments of a piece, one where it does not answer moment by moment.
    """

    def __call__(self, windows: Array) -> Array:
        """As it came."""
        ...


@dataclass(frozen=True, kw_only=True)
class OnnxOriginal:
    """An ONNX model in an onnxruntime session; see `earlet_export.foreign.graph.plain_session`.

    `prefix`: what stands before the model's own names in that session's graph.
    """

    session: Any = field(repr=False)
    ports: Ports
    spec: Spec
    prefix: str = ""

    def __call__(self, windows: Array) -> Array:
        """Windows [B, T] -> answers [B, S, M, n], float32."""
        return np.stack([self._one(window[None]) for window in windows])

    def _one(self, window: Array) -> Array:
        """Window [1, T] -> answers [S, M, n]."""
        states = zeros(self.ports, batch=1)
        wanted = {port.name for port in self.session.get_inputs()}
        constants = {
            name: value
            for name, value in self.ports.constants.items()
            if self.prefix + name in wanted
        }
        following = {} if self.spec.chunks is None else self.spec.chunks.states
        names = [self.ports.answer, *(following[name] for name in states)]
        said = []
        for piece in pieces(window, self.spec):
            feed = {
                self.ports.sound: as_the_model_wants(piece, self.ports, self.spec),
                **states,
                **constants,
            }
            answer, *after = self.session.run(
                [self.prefix + name for name in names],
                {self.prefix + name: value for name, value in feed.items()},
            )
            states = dict(zip(states, after, strict=True))
            said.append(by_moment(np.asarray(answer), self.spec))
        return np.stack(said)


def pieces(windows: Array, spec: Spec) -> list[Array]:
    """Windows [B, T] -> [B, context + samples] of each call, in order; zeros before and behind."""
    if spec.chunks is None:
        return [windows]
    samples, context = spec.chunks.samples, spec.chunks.context
    whole = spec.pieces * samples
    padded = np.pad(windows, [(0, 0), (context, whole - windows.shape[1])])
    return [padded[:, i * samples : (i + 1) * samples + context] for i in range(spec.pieces)]


def as_logits(answers: Array, spec: Spec, *, tapped: bool) -> Array:
    """Answers [B, S, M, n] -> logits [B, K]: as numbers of the scores' scale, then pooled.

    `tapped`: the answers were taken before the last sigmoid or softmax, so they are logits.
    """
    output = spec.output
    chosen = answers[..., output.at : output.at + 1] if output.single else answers
    scores = scale_of(output.means, tapped=tapped)(chosen, spec)
    of_pieces = _pooled(scores, output.moments or "last", axis=2)
    pooled = _pooled(of_pieces, spec.chunks.pool if spec.chunks is not None else "last", axis=1)
    if not output.single:
        wide: Array = pooled.astype(np.float32)
        return wide
    zero = np.zeros_like(pooled)
    both = [pooled, zero] if spec.positive_index == 0 else [zero, pooled]
    return np.concatenate(both, axis=1).astype(np.float32)


def _pooled(scores: Array, how: Pool, *, axis: int) -> Array:
    wanted: Mapping[str, Callable[..., Array]] = {"max": np.max, "mean": np.mean}
    pooled: Array = np.take(scores, -1, axis=axis) if how == "last" else wanted[how](scores, axis)
    return pooled


# A probability that was rounded to float32 says nothing exact beyond this: at 0.001 the last bit
# moves the log-odds by 6e-5, at 0.00001 by 6e-3.
SUREST = 1e-3


def scale_of(means: str, *, tapped: bool) -> Callable[[Array, Spec], Array]:
    """How the model's numbers become log-odds or logits."""
    if means == "value":
        return lambda x, spec: np.float32(spec.output.slope) * (x - np.float32(spec.output.center))
    if tapped or means in ("logits", "log-odds"):
        return lambda x, _: x
    if means == "probabilities":
        return lambda x, _: np.log(np.clip(x, np.float32(SUREST), None))
    return lambda x, _: _log_odds(np.clip(x, np.float32(SUREST), np.float32(1 - SUREST)))


def undone(answers: Array, means: str) -> Array:
    """Tapped answers -> what the model itself would have said: the probabilities again."""
    wide = answers.astype(np.float64)
    if means == "probability":
        back = 1 / (1 + np.exp(-np.clip(wide, -700, 700)))
    else:
        powers = np.exp(wide - wide.max(axis=-1, keepdims=True))
        back = powers / powers.sum(axis=-1, keepdims=True)
    return back.astype(np.float32)


def _log_odds(p: Array) -> Array:
    odds: Array = np.log(p) - np.log(1 - p)
    return odds
