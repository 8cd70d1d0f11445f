"""Runs one streaming graph with onnxruntime: chunk and states in, logits and next states out.

What such a graph is, stands in `earlet.streaming`. A session holds the graph alone, and threads may
share it; the sounds are held by the `SoundBuffers` that it gives out.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from earlet.errors import BundleError, UsageError
from earlet.onnx_file import inspect
from earlet.session import INPUT, OUTPUT, open_graph
from earlet.stream_buffers import SoundBuffers
from earlet.streaming import NEXT, State

_TYPES = {"tensor(float)": "float32", "tensor(uint8)": "uint8", "tensor(int8)": "int8"}

# Chunks of noise after which one sound alone and the same in company are compared bit by bit.
_TRIAL_CHUNKS = 3


class StreamSession:
    """A streaming graph whose ends are those that the manifest lists."""

    def __init__(
        self,
        model: bytes,
        *,
        source: str,
        states: Iterable[State],
        chunk_samples: int,
        classes: int,
        threads: int = 1,
        accept: Callable[[Mapping[str, str]], None] = lambda _: None,
    ) -> None:
        """`source` names the file in errors. Raises BundleError where graph and manifest differ.

        `accept` is shown the file's metadata, and may raise, before onnxruntime sees a byte.
        """
        if threads < 1:
            raise UsageError(f"threads must be at least 1, found {threads}.")
        self.source = source
        self.states = tuple(states)
        self.chunk_samples, self.classes = chunk_samples, classes
        accept(inspect(model, source=source).metadata)
        self.run = open_graph(model, source=source, threads=threads)
        self.any_batch = self._check_contract()
        self.together = lru_cache(maxsize=None)(self._answers_alike)

    def buffers(self, sounds: int = 1) -> SoundBuffers:
        """Room for that many sounds, all at their beginning."""
        return SoundBuffers(self, sounds, together=self.together(sounds))

    def _answers_alike(self, sounds: int) -> bool:
        """Whether that many sounds in one run get, bit by bit, what each gets alone.

        Often they do not: onnxruntime adds up a product of matrices in another order where one of
        them has a single row. So it is tried, on noise, once for each number of sounds.
        """
        if sounds == 1 or not self.any_batch:
            return False
        noise = np.random.default_rng(sounds)
        company = SoundBuffers(self, sounds, together=True)
        alone = SoundBuffers(self, sounds, together=False)
        for _ in range(_TRIAL_CHUNKS):
            chunk = noise.uniform(-0.5, 0.5, company.waveform.shape).astype(np.float32)
            company.waveform[:], alone.waveform[:] = chunk, chunk
            company.run(range(sounds))
            alone.run(range(sounds))
            if company.bits() != alone.bits():
                return False
        return True

    def _check_contract(self) -> bool:
        """-> whether the graph takes any number of sounds at once. Raises BundleError."""
        waveform = State(name=INPUT, shape=(self.chunk_samples,), dtype="float32")
        logits = State(name=OUTPUT, shape=(self.classes,), dtype="float32")
        takes = {INPUT: waveform, **{state.name: state for state in self.states}}
        gives = {OUTPUT: logits, **{state.name + NEXT: state for state in self.states}}
        free = True
        for kind, expected, found in (
            ("inputs", takes, self.run.get_inputs()),
            ("outputs", gives, self.run.get_outputs()),
        ):
            fits = {value.name for value in found} == set(expected) and all(
                _fits(value, expected[value.name]) for value in found
            )
            if not fits:
                raise BundleError(
                    f"the {kind} of {self.source} are not those that its manifest lists. Found: "
                    f"{_listed((v.name, v.type, v.shape) for v in found)}. Expected: "
                    f"{_listed((n, s.dtype, ['B', *s.shape]) for n, s in expected.items())}. "
                    "Export the bundle again."
                )
            free = free and not any(isinstance(value.shape[0], int) for value in found)
        return free


def _fits(value: Any, state: State) -> bool:
    """Whether an end of the graph has the type of a state, and its shape where that is fixed."""
    if _TYPES.get(value.type) != state.dtype or len(value.shape) != len(state.shape) + 1:
        return False
    batch, *shape = value.shape
    free = not isinstance(batch, int)
    return (free or batch == 1) and all(
        found == wanted or not isinstance(found, int)
        for found, wanted in zip(shape, state.shape, strict=True)
    )


def _listed(ends: Iterable[tuple[str, str, Any]]) -> str:
    """`waveform float32 [B, 4096], tail uint8 [B, 384]`, in the order of names."""
    return ", ".join(
        f"{name} {_TYPES.get(kind, kind)} [{', '.join(map(str, shape))}]"
        for name, kind, shape in sorted(ends, key=lambda end: end[0])
    )
