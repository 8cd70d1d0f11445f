"""The same checkpoint gives the same bytes in another process, whatever its hash seed."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from earlet_export.calibrate import observe
from earlet_export.join import join
from earlet_export.quantize import quantize
from earlet_export.run import Runner
from earlet_export.trace import trace
from earlet_train.checkpoint import load_checkpoint


def hashes(run: Path) -> list[str]:
    """Checkpoint -> sha256 of its two graphs: folded, compact, quantized, joined."""
    checkpoint = load_checkpoint(run)
    samples = checkpoint.recipe.data.window_samples
    traced = trace(checkpoint.network(), window_samples=samples)
    noise = np.random.default_rng(0).standard_normal((3, 1, samples)).astype(np.float32)
    frontend = Runner.of(traced.frontend)
    int8 = quantize(traced.model, observe(traced.model, (frontend(wave) for wave in noise)))
    graphs = (join(traced.frontend, model) for model in (traced.model, int8))
    return [hashlib.sha256(g.SerializeToString(deterministic=True)).hexdigest() for g in graphs]


def test_another_process_makes_the_same_fp32_and_int8_graphs(run_folder: Path) -> None:
    here = hashes(run_folder)
    there = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, str(run_folder)],
        env=os.environ | {"PYTHONHASHSEED": "12345", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.split() == here
    assert len(set(here)) == 2


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.stdout.write("\n".join(hashes(Path(sys.argv[1]))))
