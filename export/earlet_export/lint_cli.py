"""The verb `earlet lint`; whatever is heavy is imported when it runs."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

SCHEMA = "earlet.lint/1"


def lint(
    target: Annotated[
        str,
        typer.Argument(
            help="Bundle folder or `default`, .onnx file, recipe file or shipped recipe."
        ),
    ],
    samples: Annotated[
        int | None,
        typer.Option(min=1, help="Length of the input where an .onnx file leaves it open."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print it as JSON, and nothing else, on stdout.")
    ] = False,
) -> None:
    """Say what runs slowly in a graph, why, and what to change in the model.

    Loads each graph as the runtime does, looks at what ONNX Runtime made of it, and measures each
    node's share of the time. A recipe is built with fresh weights, traced and quantized with noise
    for calibration: what is slow shows before anything is trained.

    \b
    Looks for: float layers in an int8 graph, batch norms that could not be folded, activations
    that are passes of their own (leaky ReLU, PReLU, SiLU, GELU), channels that are no multiple of
    16, depthwise convolutions and average pooling in int8, other normalizations, means over big
    maps, stray transposes, and stretches of float between int8 parts.

    \b
    Example:
      earlet lint my-bundle
      earlet lint spec-resnet --json
    """  # noqa: D301
    from earlet.manifest import canonical_json
    from earlet_export.lint_page import lint_lines
    from earlet_export.linter import lint as linted

    found = {}
    for name, content, length in _graphs(target):
        typer.echo(f"… timing {name}", err=True)
        found[name] = linted(content, samples=samples or length, source=name)
    if as_json:
        graphs = {name: dataclasses.asdict(lint) for name, lint in found.items()}
        typer.echo(canonical_json({"schema": SCHEMA, "graphs": graphs}), nl=False)
        return
    for name, lint in found.items():
        typer.echo(f"{name}: the frontend takes {100 * lint.frontend_share:.0f} % of the time")
        for line in lint_lines(lint):
            typer.echo(f"  {line}")


def _graphs(target: str) -> Iterator[tuple[str, bytes, int | None]]:
    """Name, content and length of the input of each graph that `target` means."""
    from earlet.bundle import DEFAULT, find
    from earlet.errors import UsageError
    from earlet.onnx_file import inspect
    from earlet_train.shipped import shipped_recipes

    path = Path(target)
    if path.is_file() and path.suffix == ".onnx":
        content = path.read_bytes()
        inspect(content, source=target)
        yield path.name, content, None
    elif path.is_dir() or (target == DEFAULT and not path.exists()):
        bundle = find(target)
        for precision in bundle.precisions:
            content, _ = bundle.graph(precision)
            file = bundle.manifest.graphs[precision].file
            yield file, content, bundle.manifest.window.window_samples
    elif path.is_file() or target in shipped_recipes():
        yield from _of_recipe(target)
    else:
        raise UsageError(
            f"there is no {target!r}: neither a bundle, an .onnx file nor a recipe. `default` is "
            f"the shipped bundle; the shipped recipes are {', '.join(sorted(shipped_recipes()))}."
        )


def _of_recipe(target: str) -> Iterator[tuple[str, bytes, int | None]]:
    """The graphs of a recipe with fresh weights, fp32 and int8."""
    import numpy as np
    import torch

    from earlet_export.calibrate import observe
    from earlet_export.join import join
    from earlet_export.quantize import nodes_of_modules, quantize
    from earlet_export.run import Runner
    from earlet_export.trace import trace
    from earlet_train.network import build_network
    from earlet_train.recipe import load_recipe

    recipe = load_recipe(target)
    samples = recipe.data.window_samples
    typer.echo(f"… tracing and quantizing {recipe.name} with fresh weights", err=True)
    torch.manual_seed(recipe.seed)
    streams = recipe.export.stream == "exact"
    traced = trace(build_network(recipe).eval(), window_samples=samples, streams=streams)
    noise = np.random.default_rng(recipe.seed).standard_normal((2, 1, samples)) * 0.1
    frontend = Runner.of(traced.frontend)
    ranges = observe(traced.model, (frontend(wave.astype(np.float32)) for wave in noise))
    excluded = nodes_of_modules(traced.model, recipe.export.exclude)
    int8 = quantize(traced.model, ranges, keep_float=excluded)
    for name, model in (("fp32", traced.model), ("int8", int8)):
        content = join(traced.frontend, model).SerializeToString()
        yield f"{recipe.name} {name}", content, samples
