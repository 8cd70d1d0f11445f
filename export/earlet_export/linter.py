"""Says what runs slowly in a graph and why, by what ONNX Runtime itself makes of it.

The graph is loaded as the runtime loads it, with all optimizations, and saved again; rules
(`earlet_export.flaws`) look for what was not fused, not int8, or laid out badly. Each node's share
of the time is measured here, with ONNX Runtime's own profiler: the least of a few runs.
"""

import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from earlet.errors import BundleError
from earlet_export.flaws import FLAWS, Scene

RUNS = 9
FRONTEND = "frontend/"
# Flaws that take less than this share of the time are counted, not listed, unless asked for.
WORTH_NAMING = 0.01
# What ONNX Runtime appends to the name of a node that it made from another.
_SUFFIX = re.compile(r"_(token_\d+|nchwc|pre_q|to_dq|q_to_dq|q|dq)$")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One flaw and the nodes that have it, by their names in the file where they still have one.

    `share`: of the whole graph's time, in 0..1.
    """

    flaw: str
    what: str
    nodes: tuple[str, ...]
    share: float
    change: str
    slower: str


@dataclass(frozen=True, kw_only=True)
class Lint:
    """What was found, the costliest first. Shares of the time are in 0..1.

    `frontend_share`: of the part before the seam, 0 where the graph has no such names.
    """

    findings: tuple[Finding, ...]
    int8: bool
    frontend_share: float
    operators: Mapping[str, int]
    onnxruntime: str

    def worth_naming(self) -> tuple[Finding, ...]:
        """Those that take a share of the time that is worth a thought."""
        return tuple(found for found in self.findings if found.share >= WORTH_NAMING)


def lint(model: bytes, *, samples: int | None = None, source: str = "the graph") -> Lint:
    """ONNX file -> Lint. `samples`: the length of the input, where the graph leaves it open.

    Raises BundleError where ONNX Runtime does not load or run it.
    """
    try:
        optimised, times_us = _profiled(model, samples)
    # onnxruntime's own exceptions share no base below Exception.
    except Exception as error:
        raise BundleError(
            f"{source} does not run in onnxruntime {onnxruntime.__version__}: "
            f"{str(error).strip().splitlines()[0]}"
        ) from error
    scene = Scene.of(optimised, frontend=FRONTEND)
    total = sum(times_us.values()) or 1.0
    findings = []
    for flaw in FLAWS:
        nodes = list(flaw.find(scene))
        if nodes:
            findings.append(
                Finding(
                    flaw=flaw.key,
                    what=flaw.what,
                    nodes=tuple(dict.fromkeys(_original(name) for name in nodes)),
                    share=sum(times_us.get(name, 0.0) for name in nodes) / total,
                    change=flaw.change,
                    slower=flaw.slower,
                )
            )
    operators: dict[str, int] = defaultdict(int)
    for node in optimised.graph.node:
        operators[node.op_type] += 1
    before = sum(time for name, time in times_us.items() if name.startswith(FRONTEND))
    return Lint(
        findings=tuple(sorted(findings, key=lambda found: (-found.share, found.flaw))),
        int8=scene.int8,
        frontend_share=before / total,
        operators=dict(sorted(operators.items())),
        onnxruntime=onnxruntime.__version__,
    )


def _profiled(model: bytes, samples: int | None) -> tuple[onnx.ModelProto, dict[str, float]]:
    """File -> the optimised graph, and the least time of each of its nodes in microseconds."""
    with tempfile.TemporaryDirectory(prefix="earlet-") as folder:
        path = Path(folder) / "optimised.onnx"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        options.optimized_model_filepath = str(path)
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(
            model, sess_options=options, providers=["CPUExecutionProvider"]
        )
        feed = {value.name: _example(value, samples) for value in session.get_inputs()}
        for _ in range(RUNS):
            session.run(None, feed)
        events = json.loads(Path(session.end_profiling()).read_text())
        times: dict[str, float] = {}
        for event in events:
            name = event["name"].removesuffix("_kernel_time")
            if event.get("cat") == "Node" and name != event["name"]:
                times[name] = min(times.get(name, np.inf), float(event["dur"]))
        return onnx.load(path), times


def _example(value: Any, samples: int | None) -> NDArray[Any]:
    """Quiet noise of the input's shape; batch 1, and `samples` for the last open dimension."""
    shape = [size if isinstance(size, int) else 1 for size in value.shape]
    if len(shape) > 1 and not isinstance(value.shape[-1], int):
        shape[-1] = samples or 16_000
    kinds = {"tensor(int64)": np.int64, "tensor(double)": np.float64, "tensor(bool)": np.bool_}
    noise = np.random.default_rng(0).standard_normal(shape) * 0.1
    return noise.astype(kinds.get(value.type, np.float32))


def _original(name: str) -> str:
    """`model/stem/Conv_token_1` -> `model/stem/Conv`."""
    while (shorter := _SUFFIX.sub("", name)) != name:
        name = shorter
    return name
