"""`earlet study`: one question each, asked of many recipes; what is heavy is imported late."""

import dataclasses
import os
from pathlib import Path
from typing import Annotated

import typer

from earlet_export.studies.exports_cli import exports
from earlet_export.studies.lengths_cli import lengths
from earlet_export.studies.options import (
    AsJson,
    Clips,
    Epochs,
    Full,
    LimitMinutes,
    Out,
    Seeds,
    Size,
    Threads,
    run_study,
)
from earlet_export.studies.streaming_cli import streaming

SPEECH = ("bonafide", "spoof")

study = typer.Typer(
    name="study",
    help="Ask one question of many recipes, and answer it in a table.\n\n"
    "A study trains every row with every seed, judges it on eval and writes a page and pictures. "
    "Each training is kept on its own: stop whenever you like, the same command goes on.",
    no_args_is_help=True,
)

Speech = Annotated[
    Path, typer.Option(help="Corpus of genuine and spoofed speech (standard or larger).")
]
Sets = Annotated[
    list[Path],
    typer.Option(
        "--corpus",
        help="Corpus of several classes; give it once per set. The base recipe is the shipped one "
        "that has its labels (instruments, tones), or that of --recipe.",
    ),
]
Bases = Annotated[
    list[str] | None,
    typer.Option(
        "--recipe", help="Base recipe for the sets of --corpus, in their order, by name or file."
    ),
]


@study.command()
def systems(
    corpus: Annotated[Path, typer.Option(help="Folder of the corpus to train and judge on.")],
    out: Annotated[Path, typer.Option(help="Folder of the study: kept rows, the page.")],
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this recipe, by name or file; may be given again. Default: all "
            "whose labels are bonafide and spoof."
        ),
    ] = None,
    clips: Annotated[int, typer.Option(min=32, help="Recordings to train on.")] = 320,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs to train for.")] = 2,
    by_heart_batch: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Clips a step while 32 are learned by heart. Default: the recipe's number; fewer "
            "take less memory, and get by with fewer passes.",
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads. Default: all there are.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the rows as JSON, and nothing else, on stdout.")
    ] = False,
) -> None:
    """Does every recipe train, export and quantize?

    Each is described, learns 32 clips by heart, is trained for a moment, exported, proven and
    timed. A row that is done is kept: run the same command again after a break.

    \b
    Example:
      earlet study systems --corpus corpora/demo --out studies/systems
    """  # noqa: D301
    from earlet_train.cli import share_the_processor

    share_the_processor()
    from earlet_train.recipe import load_recipe, shipped_recipes

    # All are read first: a misspelt name is found before anything is trained.
    asked = [load_recipe(name) for name in recipe or sorted(shipped_recipes())]
    chosen = asked if recipe else [found for found in asked if found.labels == SPEECH]
    from earlet.errors import ParityError
    from earlet.manifest import canonical_json
    from earlet_export.studies.published import published_counts
    from earlet_export.studies.systems import Effort, kept_row, study_system
    from earlet_export.studies.systems_table import markdown, terminal
    from earlet_train.atomic import write_beside
    from earlet_train.progress import RunDisplay

    def step(words: str) -> None:
        typer.echo(f"… {words}", err=True)

    for found in chosen:
        kept_row(found, out)
    effort = Effort(clips=clips, epochs=epochs, overfit_batch=by_heart_batch)
    rows, failed = [], []
    for found in chosen:
        try:
            with RunDisplay(name=found.name, epochs=epochs) as display:
                rows.append(
                    study_system(
                        found,
                        corpus=corpus,
                        out=out,
                        effort=effort,
                        threads=threads or len(os.sched_getaffinity(0)),
                        watcher=display,
                        on_step=step,
                    )
                )
        except ParityError as error:
            # One recipe that cannot be exported does not keep the others from being measured.
            typer.echo(f"{found.name}: {error}", err=True)
            failed.append(found.name)
    counts = published_counts()
    page = markdown(rows, counts, corpus=corpus.resolve().name)
    out.mkdir(parents=True, exist_ok=True)
    write_beside(out / "systems.md", lambda file: file.write_text(page, encoding="utf-8"))
    if as_json:
        typer.echo(canonical_json({"rows": [dataclasses.asdict(row) for row in rows]}), nl=False)
    else:
        typer.echo(terminal(rows, counts, corpus=corpus.resolve().name))
        typer.echo(f"\n{out / 'systems.md'} holds the same.")
    different = [count.what for count in counts if not count.equal]
    if different:
        raise ParityError(f"{', '.join(different)}: not the published number of parameters.")
    if failed:
        raise ParityError(f"{', '.join(failed)}: no row, see above.")


@study.command()
def diffres(
    corpus: Sets,
    out: Out,
    recipe: Bases = None,
    clips: Clips = None,
    epochs: Epochs = None,
    seeds: Seeds = None,
    full: Full = False,
    threads: Threads = None,
    limit_minutes: LimitMinutes = None,
    as_json: AsJson = False,
) -> None:
    """Does DiffRes hold accuracy with 25 % or more of the frames merged away?

    One network behind no reduction, ChangeHop, AvgPool and DiffRes at 25, 50 and 75 %, three seeds
    each (AvgMaxPool and ConvAvgPool: one); accuracy beside multiplications and milliseconds.

    \b
    Example:
      earlet study diffres --corpus corpora/instruments --corpus corpora/syllables --out studies/diffres
    """  # noqa: D301, E501
    from earlet_export.studies.diffres import diffres_study

    size = Size(clips=clips, epochs=epochs, seeds=seeds, full=full)
    run_study(
        diffres_study(corpus, recipes=recipe, out=out, size=size),
        out=out,
        threads=threads,
        limit_minutes=limit_minutes,
        as_json=as_json,
    )


@study.command()
def relevance(
    corpus: Sets,
    out: Out,
    recipe: Bases = None,
    clips: Clips = None,
    epochs: Epochs = None,
    seeds: Seeds = None,
    full: Full = False,
    threads: Threads = None,
    limit_minutes: LimitMinutes = None,
    as_json: AsJson = False,
) -> None:
    """Do learned cosine-modulated Gaussian filters, and relevance heads, beat log-mel?

    One network behind log-mel, fixed filters, learnable filters, and those with 1, 2 and 4 heads,
    three seeds each; relative error reductions beside the paper's 10 % and 23 %.

    \b
    Example:
      earlet study relevance --corpus corpora/instruments --corpus corpora/syllables --out studies/relevance
    """  # noqa: D301, E501
    from earlet_export.studies.relevance import relevance_study

    size = Size(clips=clips, epochs=epochs, seeds=seeds, full=full)
    run_study(
        relevance_study(corpus, recipes=recipe, out=out, size=size),
        out=out,
        threads=threads,
        limit_minutes=limit_minutes,
        as_json=as_json,
    )


@study.command()
def specmix(
    corpus: Speech,
    out: Out,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Another Res2Net to vary, by name or file, as it is. Default: mpif-res2net, cut."
        ),
    ] = None,
    clips: Clips = None,
    epochs: Epochs = None,
    seeds: Seeds = None,
    full: Full = False,
    threads: Threads = None,
    limit_minutes: LimitMinutes = None,
    as_json: AsJson = False,
) -> None:
    """What do MPIF fusion, SpecMix and random SpecMix give a Res2Net?

    Res2Net, + MPIF fusion (a reconstruction), + SpecMix, + random SpecMix, + both; two seeds; EER
    on attacks that training knew and on others.

    \b
    Example:
      earlet study specmix --corpus corpora/standard --out studies/specmix
    """  # noqa: D301
    from earlet_export.studies.specmix import specmix_study

    size = Size(clips=clips, epochs=epochs, seeds=seeds, full=full)
    run_study(
        specmix_study(corpus, out=out, size=size, recipe=recipe),
        out=out,
        threads=threads,
        limit_minutes=limit_minutes,
        as_json=as_json,
    )


@study.command()
def images(
    corpus: Speech,
    out: Out,
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            help="Network to ask, as a recipe on spectrogram images, by name or file; may be given "
            "again. Remedies are compared on the first. Default: vgg-spectrogram and "
            "resnet50-spectrogram."
        ),
    ] = None,
    clips: Clips = None,
    epochs: Epochs = None,
    seeds: Seeds = None,
    full: Full = False,
    threads: Threads = None,
    limit_minutes: LimitMinutes = None,
    as_json: AsJson = False,
) -> None:
    """Pictures of spectra or of waveforms? Multiply the rare class, or leave the common one out?

    The student project's VGG-like network and ResNet50 on nine spoofed recordings for each genuine
    one: accuracy by attack and confusion as it reports them, EER and balanced accuracy beside.
    --clips counts both labels of train; --epochs those of multiply, and the other rows look at as
    many pictures.

    \b
    Example:
      earlet study images --corpus corpora/standard --out studies/images
    """  # noqa: D301
    from earlet_export.studies.images import images_study

    size = Size(clips=clips, epochs=epochs, seeds=seeds, full=full)
    run_study(
        images_study(corpus, recipes=recipe, out=out, size=size),
        out=out,
        threads=threads,
        limit_minutes=limit_minutes,
        as_json=as_json,
    )


@study.command()
def fusion(
    corpus: Speech,
    out: Out,
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            help="System to fuse, by name or file; give it twice or more. Default: the three."
        ),
    ] = None,
    clips: Clips = None,
    epochs: Epochs = None,
    seeds: Seeds = None,
    full: Full = False,
    threads: Threads = None,
    limit_minutes: LimitMinutes = None,
    as_json: AsJson = False,
) -> None:
    """Are Spec-, MFCC- and CQCC-ResNet better together, and on which attacks?

    Each alone, their plain mean as published, and a logistic fusion learned on dev; per attack.

    \b
    Example:
      earlet study fusion --corpus corpora/standard --out studies/fusion
    """  # noqa: D301
    from earlet_export.studies.fusion import fusion_study

    size = Size(clips=clips, epochs=epochs, seeds=seeds, full=full)
    run_study(
        fusion_study(corpus, out=out, size=size, recipes=recipe),
        out=out,
        threads=threads,
        limit_minutes=limit_minutes,
        as_json=as_json,
    )


study.command()(exports)
study.command()(lengths)
study.command()(streaming)
