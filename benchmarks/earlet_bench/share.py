"""Asks onnxruntime's profiler how much of a graph's time its frontend takes."""

import json
import tempfile
from pathlib import Path

import numpy as np

from earlet.session import INPUT
from earlet_bench.latency import Floats

# `earlet export` names the nodes before the seam so; fused nodes keep the name of their first.
_FRONTEND = "frontend/"
_KERNEL = "_kernel_time"


def frontend_share(model: bytes, *, windows: Floats, threads: int) -> float | None:
    """Graph, windows [S, T] -> frontend's share in 0..1 of the time inside kernels.

    None where no node says that it belongs to a frontend. Conversions of layout that onnxruntime
    puts between the nodes count to the network behind it. A profiled run is slower than a timed
    one, so this is a share and not a time.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_profiling = True
    with tempfile.TemporaryDirectory(prefix="earlet-") as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(
            model, sess_options=options, providers=["CPUExecutionProvider"]
        )
        # Twice: the first pass also warms caches and memory.
        for window in (*windows, *windows):
            session.run(None, {INPUT: np.ascontiguousarray(window[None])})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    spent: dict[str, list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and str(event.get("name", "")).endswith(_KERNEL):
            spent.setdefault(event["name"], []).append(float(event["dur"]))
    # Medians: one interrupted run of one node must not decide.
    typical = {name: float(np.median(durations)) for name, durations in spent.items()}
    frontend = sum(us for name, us in typical.items() if name.startswith(_FRONTEND))
    return frontend / sum(typical.values()) if frontend else None
