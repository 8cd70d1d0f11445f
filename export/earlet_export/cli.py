"""The verbs `earlet export` and `earlet describe`; whatever is heavy is imported when they run."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import typer


def export(
    run: Annotated[Path, typer.Argument(help="Run folder of `earlet train`, or a checkpoint.")],
    out: Annotated[Path, typer.Option(help="Bundle folder to make.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Corpus: its train split calibrates int8, its dev split proves the result. "
            "Default: the one that the run was trained on, where it is still found."
        ),
    ] = None,
    precision: Annotated[
        Literal["auto", "fp32", "int8"],
        typer.Option(
            help="auto: both, the faster one here by default; fp32: no int8; int8: int8 by default."
        ),
    ] = "auto",
    fp16: Annotated[
        bool,
        typer.Option(
            "--fp16",
            help="Also write fp16.onnx: the model's weights in 16 bits, half the bytes of fp32 and "
            "no faster. Never the default.",
        ),
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(
            help="Run that this one was fine-tuned from (--quantization-aware): int8 is held "
            "against its error rate."
        ),
    ] = None,
    frontend: Annotated[
        Literal["compact", "stored"],
        typer.Option(
            help="compact: Fourier kernels as short recipes that ONNX Runtime computes while "
            "loading; stored: as numbers, for engines that do not."
        ),
    ] = "compact",
    length: Annotated[
        Literal["window", "any"],
        typer.Option(
            help="window: graphs that take one window, which is all that a detector feeds; any: "
            "graphs that take every length from the recipe's shortest on, for programs that run "
            "them themselves, proven at four lengths. Refused where a part of the network fixes "
            "the length, as a layer on a flattened map does: see earlet describe."
        ),
    ] = "window",
    stream: Annotated[
        Literal["exact", "window"] | None,
        typer.Option(
            help="exact: also write graphs that take sound chunk by chunk and answer what the "
            "others answer window by window; window: leave them out. Default: as the recipe says.",
            show_default=False,
        ),
    ] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Draw the report's pictures too.")
    ] = True,
    proof_clips: Annotated[
        int, typer.Option(min=10, help="At most this many dev recordings prove the result.")
    ] = 400,
    held_out_clips: Annotated[
        int,
        typer.Option(
            min=0,
            help="Report error rates on this many eval recordings, drawn by attack (0: none).",
        ),
    ] = 1000,
    skip_bad: Annotated[
        bool,
        typer.Option("--skip-bad", help="Leave out recordings that cannot be used, and say so."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the bundle that is there already.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON, and nothing else, on stdout.")
    ] = False,
) -> None:
    """Turn a trained detector into a bundle that runs without PyTorch, and prove it equal.

    Exports the network with its frontend to ONNX, quantizes the model to int8, and compares both
    with the PyTorch original on golden signals and on real recordings. Where a promise of the
    recipe is broken, nothing is written and the exit code is 1.

    int8 is static: its ranges are learned here, from the train split. (Dynamic quantization, which
    measures them anew on every run, is not offered: for convolutions it is slower than fp32.) Where
    plain int8 breaks its promise, its biases are corrected, other calibrations tried, then layers
    in float, and the report shows what each of them would cost.

    \b
    Example:
      earlet export runs/demo --out bundles/demo --data corpora/demo
      earlet verify bundles/demo
    """  # noqa: D301  (\b is the mark of a paragraph that keeps its lines)
    import numpy as np

    from earlet.bad_recordings import left_out
    from earlet.manifest import canonical_json
    from earlet.write import refuse_existing
    from earlet_export.corpus import find_corpus
    from earlet_export.export import export_bundle
    from earlet_export.lengths import opened_from
    from earlet_export.material import gather
    from earlet_export.report import as_data, summary
    from earlet_train.checkpoint import load_checkpoint

    def step(words: str) -> None:
        typer.echo(f"… {words}", err=True)

    refuse_existing(out, replace=force)
    checkpoint = load_checkpoint(run)
    corpus = data or find_corpus(checkpoint.origin.corpus, run=run)
    recipe = checkpoint.recipe
    # Before the reading, which takes a while: what cannot be is refused at once.
    chosen_stream = stream or recipe.export.stream
    opened_from(checkpoint.network(), recipe, length=length, stream=chosen_stream)
    step(f"reading recordings of {corpus}")
    material = gather(
        corpus,
        positive=recipe.positive,
        window=recipe.data.window,
        sample_rate_hz=recipe.data.sample_rate_hz,
        calibration_clips=recipe.export.calibration_clips,
        proof_clips=proof_clips,
        held_out_clips=held_out_clips,
        rng=np.random.default_rng(recipe.seed),
        skip_bad=skip_bad,
    )
    if material.left_out:
        typer.echo(left_out(material.left_out, of=material.chosen), err=True)
    exported = export_bundle(
        checkpoint,
        material,
        out=out,
        # A run that keeps its corpus in its own folder knows the name of it.
        data=corpus.resolve().name if data else checkpoint.origin.corpus,
        precision=precision,
        fp16=fp16,
        pictures=pictures,
        against=load_checkpoint(against) if against else None,
        frontend=frontend,
        length=length,
        stream=stream,
        replace=force,
        on_step=step,
    )
    sizes = {name: graph.size_bytes for name, graph in exported.manifest.graphs.items()}
    if as_json:
        found = {"bundle": str(out), "sizes_bytes": sizes, **as_data(exported.report)}
        typer.echo(canonical_json(found), nl=False)
    else:
        typer.echo(summary(exported.report, sizes))
        typer.echo(f"{out} is written and verified. Next: earlet bench {out}")


def describe(
    recipe: Annotated[str, typer.Argument(help="A TOML file, or the name of a shipped recipe.")],
    every_layer: Annotated[
        bool, typer.Option("--all", help="List activations and dropouts too.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print it as JSON, and nothing else, on stdout.")
    ] = False,
) -> None:
    """Say what a recipe makes, without data or training.

    Builds the network with fresh weights, runs one window of silence through it and traces it to
    ONNX: parameters, multiplications (GMAC) per window and per second of sound, the shape of the
    features, what becomes int8 and what stays in float, whether it can stream or take any length
    and if not why, and a table of layers.

    \b
    Example:
      earlet describe spec-resnet
      earlet describe my-recipe.toml --json
    """  # noqa: D301
    from earlet_train.recipe import load_recipe

    chosen = load_recipe(recipe)
    from earlet.manifest import canonical_json
    from earlet_export.describe import describe as described
    from earlet_export.description_page import page

    found = described(chosen, on_step=lambda words: typer.echo(f"… {words}", err=True))
    if as_json:
        data = dataclasses.asdict(found)
        derived = {"window_s": found.window_s, "macs_per_s": found.macs_per_s}
        typer.echo(canonical_json(data | derived | {"streams": found.streams}), nl=False)
    else:
        typer.echo(page(found, every_layer=every_layer))
