"""Runs a graph that is still in memory, the way the runtime will: one thread, optimized."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Runner:
    """One input; call it with a batch for its first output."""

    session: Any

    @classmethod
    def of(cls, model: onnx.ModelProto) -> "Runner":
        """Session with one thread, no spinning, all optimizations, silent."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        # Errors come back as exceptions; at 3 they would be printed besides.
        options.log_severity_level = 4
        return cls(
            onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        )

    def __call__(self, batch: Array) -> Array:
        """Batch [B, ...] -> output [B, ...]."""
        return self.all(batch)[0]

    def all(self, batch: Array) -> list[Array]:
        """Batch [B, ...] -> every output, in the graph's order."""
        name = self.session.get_inputs()[0].name
        outputs: list[Array] = self.session.run(None, {name: batch})
        return outputs


def one_by_one(run: Runner, inputs: Array) -> Array:
    """Inputs [N, ...] -> outputs [N, ...], one at a time: memory stays that of one window."""
    return np.concatenate([run(inputs[i : i + 1]) for i in range(len(inputs))])
