"""What the variants of a study cost to run: multiplications, and milliseconds side by side."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from pydantic import TypeAdapter

from earlet.manifest import canonical_json
from earlet.timing import interleave, ratio
from earlet_export.describe import layers_of
from earlet_export.join import join
from earlet_export.run import Runner
from earlet_export.speed import one_thread
from earlet_export.studies.variant import Variant
from earlet_export.trace import trace
from earlet_train.atomic import write_beside
from earlet_train.network import build_network

FILE = "costs.json"


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One window of one variant. `macs`: of all, `model_macs` of what lies behind the seam.

    `fp32_ms`: median, one thread. `relative`: median over rounds of its processor time over that
    of the first variant.
    """

    recipe_sha256: str
    parameters: int
    macs: int
    model_macs: int
    fp32_ms: float
    relative: float


def costs(
    variants: Sequence[Variant],
    *,
    out: Path,
    on_step: Callable[[str], None],
    rounds: int = 40,
) -> dict[str, Cost]:
    """Variants (of one corpus, the one to compare with first) -> cost by name; kept in `out`.

    Graphs of fresh weights are timed: the weights' values do not change the work. All take turns
    in one run on one thread of ONNX Runtime, because only such ratios mean anything.
    """
    hashes = {v.name: sha256(v.recipe.text.encode()).hexdigest() for v in variants}
    file = out / f"{variants[0].set}-{FILE}"
    if file.is_file():
        kept = TypeAdapter(dict[str, Cost]).validate_json(file.read_text(encoding="utf-8"))
        if {name: cost.recipe_sha256 for name, cost in kept.items()} == hashes:
            return {variant.name: kept[variant.name] for variant in variants}
    on_step(f"timing {len(variants)} graphs side by side ({variants[0].set})")
    runners, sizes, layers = {}, {}, {}
    rng = np.random.default_rng(0)
    for variant in variants:
        samples = variant.recipe.data.window_samples
        torch.manual_seed(0)
        network = build_network(variant.recipe).eval()
        layers[variant.name], _ = layers_of(network, torch.zeros(1, samples))
        sizes[variant.name] = sum(p.numel() for p in network.parameters())
        traced = trace(network, window_samples=samples)
        runners[variant.name] = Runner.of(join(traced.frontend, traced.model))
    windows = {
        v.name: rng.normal(0, 0.1, (1, v.recipe.data.window_samples)).astype(np.float32)
        for v in variants
    }
    calls: dict[str, Callable[[], object]] = {
        name: partial(run, windows[name]) for name, run in runners.items()
    }
    with one_thread():
        timings = interleave(calls, rounds=rounds)
    found = {
        name: Cost(
            recipe_sha256=hashes[name],
            parameters=sizes[name],
            macs=sum(layer.macs for layer in layers[name]),
            model_macs=sum(layer.macs for layer in layers[name] if layer.part == "model"),
            fp32_ms=timing.percentile_ms(50),
            relative=ratio(timing, timings[variants[0].name]),
        )
        for name, timing in timings.items()
    }
    text = canonical_json({name: dataclasses.asdict(cost) for name, cost in found.items()})
    out.mkdir(parents=True, exist_ok=True)
    write_beside(file, lambda target: target.write_text(text, encoding="utf-8"))
    return found
