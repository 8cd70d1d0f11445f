"""The verbs `earlet train` and `earlet baseline`; whatever is heavy is imported when they run."""

import dataclasses
import math
import os
from pathlib import Path
from typing import Annotated

import typer

from earlet_train.shipped import shipped_recipes

Corpus = Annotated[
    Path,
    typer.Option(
        help="Corpus: made by `earlet corpus build` or `import`, or ASVspoof 2019; where the "
        "recipe's [data] has a kind, that dataset as published."
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON, and nothing else, on stdout.")
]

SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad",
        help="Leave out recordings that cannot be used (missing, damaged, of another rate, too "
        "short, ...), and say so. Without it they are named and nothing begins.",
    ),
]


def train(
    recipe: Annotated[
        str,
        typer.Argument(help=f"A TOML file, or a shipped recipe: {', '.join(shipped_recipes())}."),
    ],
    corpus: Corpus,
    out: Annotated[Path, typer.Option(help="Run folder: made if absent, never overwritten.")],
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Instead of the recipe's number of epochs.")
    ] = None,
    clips: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="A quick look: train on so many recordings only, evenly over labels and "
            "systems, and judge on as many.",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Begin with these instead of fresh ones: a run folder, or weights that a system's "
            "authors released (a ResNet50 of ImageNet for the resnet50 recipes)."
        ),
    ] = None,
    quantization_aware: Annotated[
        bool,
        typer.Option(
            "--quantization-aware",
            help="Train the finished run of --weights on for three short epochs (or --epochs), "
            "rounding as int8 will: for where the export says that int8 breaks its promise.",
        ),
    ] = False,
    device: Annotated[
        str, typer.Option(help="auto (a GPU if there is one), cpu, cuda or cuda:N.")
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads. Default: all there are.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of the recipe's seed.")] = None,
    skip_bad: SkipBad = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out where it stopped.")
    ] = False,
    limit_minutes: Annotated[
        float | None,
        typer.Option(help="Begin no epoch that would end later than this; --resume goes on."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a detector from a recipe and a corpus.

    Writes a run folder: the best epoch by dev EER, or by dev accuracy where there are more
    than two labels (best.safetensors), the latest, run.json with
    the history, learning_curve.png. A run that was stopped or killed, at any moment, goes on with
    --resume and ends in the same weights.

    \b
    From nothing to a bundle:
      earlet corpus build --size demo --out corpora/demo
      earlet train demo --corpus corpora/demo --out runs/demo
      earlet export runs/demo --out bundles/demo

    \b
    A recipe of your own, looked at before it runs for hours:
      earlet describe mine.toml
      earlet train mine.toml --corpus corpora/demo --out runs/look --clips 200 --epochs 2

    \b
    On a published dataset as it was unpacked, where the recipe's [data] says which (kind = "esc50"
    and dev_fold = 5, for example; the kinds are those of earlet corpus import):
      earlet train mine.toml --corpus downloads/ESC-50 --out runs/esc

    \b
    Where int8 costs too much accuracy, a fine-tuning that feels its rounding; the new run is
    exported like any other, and may be compared with the old one:
      earlet train demo --corpus corpora/demo --weights runs/demo --quantization-aware --out runs/q
      earlet export runs/q --against runs/demo --out bundles/demo

    \b
    On all four GPUs of a machine, or of two machines (the same line on each); every batch is
    split among the processes, and only the first one writes and prints:
      torchrun --nproc-per-node 4 -m earlet train demo --corpus DIR --out RUN
      torchrun --nnodes 2 --nproc-per-node 4 --rdzv-backend c10d \\
        --rdzv-endpoint FIRST-MACHINE:29500 -m earlet train demo --corpus DIR --out RUN
    """  # noqa: D301  (typer reads the character \b: keep these lines as they are)
    share_the_processor()
    from earlet_train.recipe import load_recipe

    chosen = load_recipe(recipe)
    # After the recipe, so that a bare install is told of torch's extra and not of another's.
    from earlet.manifest import canonical_json
    from earlet_train.progress import RunDisplay, Silence
    from earlet_train.quantization_aware import fine_tuning
    from earlet_train.run import Options, train_run

    # As torchrun says; without it, this process is the only one.
    is_first = os.environ.get("RANK", "0") == "0"
    processes_here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if seed is not None:
        chosen = dataclasses.replace(chosen, seed=seed)
    if quantization_aware:
        chosen = fine_tuning(chosen, weights=weights)
    options = Options(
        epochs=epochs,
        clips=clips,
        weights=weights,
        skip_bad=skip_bad,
        device=device,
        threads=threads or max(1, len(os.sched_getaffinity(0)) // processes_here),
        resume=resume,
        limit_minutes=math.inf if limit_minutes is None else limit_minutes,
    )
    if not is_first:
        train_run(chosen, corpus=corpus, out=out, options=options, watcher=Silence())
        return
    with RunDisplay(name=chosen.name, epochs=epochs or chosen.training.epochs) as display:
        run = train_run(chosen, corpus=corpus, out=out, options=options, watcher=display)
    if as_json:
        typer.echo(canonical_json(dataclasses.asdict(run)), nl=False)
        return
    best = run.best
    if best is None:
        typer.echo(f"{run.recipe}: no epoch was trained ({run.stopped}).")
        return
    seconds = sum(row.seconds for row in run.history)
    typer.echo(
        f"{run.recipe}: stopped after {len(run.history)} epochs and {seconds / 60:.1f} minutes "
        f"({run.stopped}).\n"
        f"Kept epoch {best.epoch}: {' '.join(best.told.split())} on {run.dev_trials} "
        f"recordings.\n"
        f"Next: earlet export {out} --out BUNDLE"
    )


def baseline(
    corpus: Corpus,
    mixtures: Annotated[
        int, typer.Option(min=1, help="Gaussians per class; the challenge's baseline has 512.")
    ] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Of the frames drawn and the mixtures.")] = 1,
    skip_bad: SkipBad = False,
    as_json: AsJson = False,
) -> None:
    """Score a corpus with the classical baseline, LFCC and Gaussian mixtures, for comparison.

    Fits one mixture to the genuine and one to the spoofed speech of the train split, scores dev
    and eval by their log-likelihood ratio, and prints equal error rates with 95 % intervals.

    \b
    Example:
      earlet baseline --corpus corpora/demo --mixtures 64
    """  # noqa: D301
    share_the_processor()
    from earlet.manifest import canonical_json
    from earlet_train.baseline import run_baseline, table
    from earlet_train.progress import counting

    with counting("LFCC-GMM") as on_progress:
        result = run_baseline(
            corpus,
            mixtures=mixtures,
            seed=seed,
            skip_bad=skip_bad,
            on_left_out=lambda words: typer.echo(words, err=True),
            on_progress=on_progress,
        )
    if as_json:
        typer.echo(canonical_json(dataclasses.asdict(result)), nl=False)
    else:
        typer.echo(table(result))


def share_the_processor() -> None:
    """Let torch's threads sleep while they wait; call it before torch is imported.

    By default they spin. Beside other work on the same cores that costs five times the time of
    sleeping (57 ms a clip instead of 11, two threads on two busy cores), and alone it gains little.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if "LOCAL_WORLD_SIZE" in os.environ:
        # Else every process tells that each network might do without the search for unused weights.
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
