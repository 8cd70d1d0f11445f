"""The contract of a streaming graph: what goes in with each chunk, and what its answers are about.

A streaming graph is the offline graph of the same bundle, cut open along time: it takes the next
`chunk_samples` of a sound and every state it gave back with the chunk before, and answers with the
logits of a whole window. It computes only what is new; the rest it finds in its states. The graph
itself keeps nothing, so one session serves any number of sounds.

A sound begins with `lead_samples` zeros and all states at their initial value. The answers to the
first `warmup_chunks` chunks mean nothing. The answer to chunk `warmup_chunks + k` is the logits of
the window that begins at sample k * chunk_samples of the sound: what the offline graph answers to
that window.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

DTYPES = ("float32", "uint8", "int8")
NEXT = ".next"


@dataclass(frozen=True, kw_only=True)
class State:
    """One tensor that the graph hands to its own next run.

    `name`: of the graph's input; the output that replaces it is called `name.next`. `shape`: of one
    sound, without the batch in front. `initial`: the value of all its elements before a sound.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Literal["float32", "uint8", "int8"]
    initial: float = 0.0


@dataclass(frozen=True, kw_only=True)
class StreamGraph:
    """One ONNX file `*.stream.onnx`.

    `max_abs_logit`: how far at most its answers were from those of the offline graph of the same
    precision, window by window, on `windows` windows of real sound.
    """

    file: str
    sha256: str
    size_bytes: int
    states: tuple[State, ...]
    max_abs_logit: float
    windows: int


@dataclass(frozen=True, kw_only=True)
class Streaming:
    """How this detector streams; see the module's docstring."""

    chunk_samples: int
    lead_samples: int
    warmup_chunks: int
    graphs: Mapping[str, StreamGraph]

    def __post_init__(self) -> None:
        if self.chunk_samples < 1:
            raise ValueError(f"chunk_samples must be positive, found {self.chunk_samples}")
        if not 0 <= self.lead_samples < self.chunk_samples:
            raise ValueError(
                f"lead_samples must lie in 0..chunk_samples - 1 ({self.chunk_samples - 1}), "
                f"found {self.lead_samples}"
            )
        if self.warmup_chunks < 0:
            raise ValueError(f"warmup_chunks must not be negative, found {self.warmup_chunks}")
