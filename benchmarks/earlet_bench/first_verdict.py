"""A fresh process until its first verdict; writes what that cost as JSON. `cold_start` starts it.

python -m earlet_bench.first_verdict BUNDLE PRECISION THREADS
python -m earlet_bench.first_verdict --original RUN WINDOW_SAMPLES THREADS
"""

import sys
import time


def main(arguments: list[str]) -> None:
    """Import, load, judge once. Nothing is imported before the clock runs."""
    began = time.perf_counter()
    if arguments[0] == "--original":
        report = _original(arguments[1], int(arguments[2]), int(arguments[3]), began)
    else:
        report = _bundle(arguments[0], arguments[1], int(arguments[2]), began)
    import json

    report["peak_rss_bytes"] = peak_rss_bytes()
    sys.stdout.write(json.dumps(report) + "\n")


def peak_rss_bytes() -> int:
    """The most memory that this process held at once.

    /proc's VmHWM and not getrusage: Linux starts ru_maxrss of a program at the peak of the process
    that started it, so a parent with PyTorch in it would lend its hundreds of megabytes.
    """
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _bundle(source: str, precision: str, threads: int, began: float) -> dict[str, float]:
    from pathlib import Path

    import numpy as np
    import onnxruntime  # noqa: F401  (earlet imports it on loading; here it counts as an import)

    import earlet

    imported = time.perf_counter()
    detector = earlet.load(Path(source), precision=precision, threads=threads)
    loaded = time.perf_counter()
    manifest = detector.manifest
    ramp = np.arange(manifest.window.window_samples) * 37 % 255
    detector(((ramp - 127) / 255).astype(np.float32), manifest.sample_rate_hz)
    return _report(began, imported, loaded, time.perf_counter())


def _original(run: str, window_samples: int, threads: int, began: float) -> dict[str, float]:
    from pathlib import Path

    import numpy as np

    from earlet_bench.original import load_original, loader_of_originals

    loader = loader_of_originals()
    imported = time.perf_counter()
    original = load_original(Path(run), threads=threads, loader=loader)
    loaded = time.perf_counter()
    ramp = np.arange(window_samples) * 37 % 255
    original.logits(((ramp - 127) / 255).astype(np.float32)[None])
    return _report(began, imported, loaded, time.perf_counter())


def _report(began: float, imported: float, loaded: float, judged: float) -> dict[str, float]:
    return {
        "import_ms": 1e3 * (imported - began),
        "load_ms": 1e3 * (loaded - imported),
        "first_ms": 1e3 * (judged - loaded),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
