"""Measures a frontend against its float64 oracle, and its ONNX graph against torch."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from parity.cases import Case
from parity.signals import CONSTRUCTED, RATE_HZ, SAMPLES, Signals
from torch import Tensor, nn

from earlet_export.macs import layer_macs
from earlet_export.run import Runner
from earlet_export.trace import trace
from earlet_train.frontends import FRONTENDS
from earlet_train.frontends.frontend import Frontend

Floats = NDArray[np.float64]
Oracle = Callable[[Floats, Any, int], Floats]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """|error| over all values of all clips of one kind of sound."""

    largest: float
    typical: float  # 99.9th percentile


@dataclass(frozen=True, kw_only=True)
class Row:
    """One frontend on one kind of sound."""

    sound: str
    oracle: Difference
    onnx: Difference


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One frontend on all sounds; `forms`: how its transforms are computed."""

    case: Case
    shape: tuple[int, ...]
    forms: tuple[str, ...]
    multiplications: int
    graph_bytes: int
    rows: tuple[Row, ...]

    def broken(self) -> list[str]:
        """A sentence for each bound of the case that does not hold."""
        return [
            f"{self.case.name} on {row.sound}: {name} is {value:.2g} {self.case.unit}, the bound "
            f"is {bound:g}"
            for row in self.rows
            for name, value, bound in self._bounded(row)
            if not value <= bound
        ]

    def _bounded(self, row: Row) -> list[tuple[str, float, float]]:
        case, oracle, onnx = self.case, row.oracle, row.onnx
        is_constructed = row.sound in CONSTRUCTED
        bounded = [
            (
                "the maximum of |torch - definition|",
                oracle.largest,
                case.constructed if is_constructed else case.largest,
            ),
            (
                "the maximum of |ONNX Runtime - torch|",
                onnx.largest,
                case.constructed if is_constructed else case.onnx,
            ),
        ]
        if not is_constructed:
            bounded.append(
                ("the 99.9th percentile of |torch - definition|", oracle.typical, case.typical)
            )
        return bounded


def measure(case: Case, sounds: Signals) -> Measured:
    """Case, sounds -> what was measured, on one clip at a time."""
    kind = FRONTENDS[case.kind]
    settings = kind.Settings(**case.settings)
    frontend = kind(settings, sample_rate_hz=RATE_HZ).eval()
    graph = trace(Alone(frontend).eval(), window_samples=SAMPLES).frontend
    run, oracle, rows = Runner.of(graph), oracle_of(case.kind), []
    for sound, clips in sounds.items():
        from_oracle, from_onnx = [], []
        for clip in clips:
            with torch.no_grad():
                features = frontend(torch.from_numpy(clip)[None]).numpy()
            expected = oracle(clip.astype(np.float64), settings, RATE_HZ)
            if expected.shape != features.shape[1:]:
                raise ValueError(
                    f"the oracle of {case.kind} gives {expected.shape}, the frontend "
                    f"{features.shape[1:]}: they define different features"
                )
            from_oracle.append(np.abs(features[0] - expected))
            from_onnx.append(np.abs(features - run(clip[None])))
        rows.append(Row(sound=sound, oracle=difference(from_oracle), onnx=difference(from_onnx)))
    return Measured(
        case=case,
        shape=features.shape[1:],
        forms=tuple(sorted({str(m.form) for m in frontend.modules() if hasattr(m, "form")})),
        multiplications=sum(layer_macs(graph).values()),
        graph_bytes=graph.ByteSize(),
        rows=tuple(rows),
    )


def oracle_of(kind: str) -> Oracle:
    """Name in the registry -> `oracle` of tests/oracles. Raises LookupError where there is none."""
    module = f"oracles.{kind.replace('-', '_')}"
    try:
        found: Oracle = importlib.import_module(module).oracle
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise LookupError(
            f"the frontend {kind!r} has no independent definition: write tests/"
            f"{module.replace('.', '/')}.py with oracle(waveform, settings, sample_rate_hz)"
        ) from None
    return found


def difference(errors: list[NDArray[Any]]) -> Difference:
    """|error| of each clip -> over all; not-a-number counts as infinite."""
    values = np.concatenate([e.ravel() for e in errors]).astype(np.float64)
    values[np.isnan(values)] = np.inf
    return Difference(
        largest=float(values.max()), typical=float(np.quantile(values, 0.999, method="higher"))
    )


class Alone(nn.Module):
    """A frontend as a network whose model only lays the features out in a row: for its graph."""

    def __init__(self, frontend: Frontend) -> None:
        super().__init__()
        self.frontend, self.model = frontend, nn.Flatten()

    def features(self, waveform: Tensor) -> Tensor:
        """Waveform [B, T] -> [B, C, F, N]."""
        features: Tensor = self.frontend(waveform)
        return features
