"""A bundle of a network that has learned nothing: to measure its streams on, then to throw away."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earlet.bundle import Bundle
from earlet.golden import signals
from earlet.manifest import Golden, Graph, Manifest, OperatingPoint, Provenance
from earlet.streaming import StreamGraph, Streaming
from earlet_export.golden import golden_answers
from earlet_export.join import join
from earlet_export.material import at_three_levels
from earlet_export.pack import GOLDEN_FILE, hashed
from earlet_export.quantize import annotated, finished, nodes_of_modules, observe
from earlet_export.run import Runner
from earlet_export.streaming.twin import Twin
from earlet_export.trace import Traced
from earlet_train.network import Network
from earlet_train.recipe import Recipe

Array = NDArray[np.float32]


def untrained_bundle(
    folder: Path, recipe: Recipe, network: Network, traced: Traced, made: Twin, *, heard: Array
) -> Bundle:
    """A network, its graphs and its twin -> the bundle `folder`, fp32 and int8 and their streams.

    `heard` [S, T]: windows that calibrate int8. What an export proves on recordings (flips, error
    rates, an operating point) is left out: there is nothing to find out.
    """
    frontend = Runner.of(traced.frontend)
    ranges = observe(traced.model, (frontend(clip) for clip in at_three_levels(heard)))
    kept = nodes_of_modules(traced.model, recipe.export.exclude)
    models = {"fp32": traced.model, "int8": annotated(traced.model, ranges, keep_float=kept)}
    graphs = {name: join(traced.frontend, finished(model)) for name, model in models.items()}
    woven = {name: made.graph(model) for name, model in models.items()}

    waves = signals(window=recipe.data.window, sample_rate_hz=recipe.data.sample_rate_hz)
    record = golden_answers(network, traced, waves).record
    asked = np.stack(list(waves.values()))
    away = {
        name: float(np.abs(Runner.of(graph)(asked) - record.logits).max())
        for name, graph in graphs.items()
    }
    promised = recipe.promises
    bare = Manifest(
        name=recipe.name,
        version=recipe.version,
        labels=recipe.labels,
        positive=recipe.positive,
        sample_rate_hz=recipe.data.sample_rate_hz,
        window=recipe.data.window,
        threshold=0.0,
        operating_point=OperatingPoint(
            name="untrained", data="none", miss_rate=0.0, false_alarm_rate=0.0
        ),
        graphs={
            name: Graph(
                file=f"{name}.onnx",
                sha256="",
                size_bytes=0,
                max_abs_logit=away[name],
                decision_flips=0,
                decisions=0,
            )
            for name in graphs
        },
        default_precision="int8",
        golden=Golden(
            file=GOLDEN_FILE,
            sha256="",
            tolerances={name: far + promised.fp32_max_abs_logit for name, far in away.items()},
        ),
        stream=Streaming(
            chunk_samples=made.schedule.chunk_samples,
            lead_samples=made.schedule.lead_samples,
            warmup_chunks=made.schedule.warmup_chunks,
            graphs={
                name: StreamGraph(
                    file=f"{name}.stream.onnx",
                    sha256="",
                    size_bytes=0,
                    states=states,
                    # Measured later; until then it is what the recipe promises.
                    max_abs_logit=promised.stream_max_abs_logit,
                    windows=0,
                )
                for name, (_, states) in woven.items()
            },
        ),
        provenance=Provenance(
            recipe=recipe.text,
            checkpoint_sha256="0" * 64,
            training_data="none: untrained",
            versions={},
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        ),
    )
    _, files = hashed(
        bare,
        lambda _: {},
        graphs=graphs,
        streams={name: graph for name, (graph, _) in woven.items()},
        record=record,
        pictures={},
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return Bundle.open(folder)
