"""The verb `earlet adopt`; whatever is heavy is imported when it runs."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from earlet_train.cli import AsJson, Corpus, SkipBad, share_the_processor


def adopt(
    recipe: Annotated[
        str, typer.Argument(help="A TOML file or shipped recipe of the network they belong to.")
    ],
    weights: Annotated[Path, typer.Argument(help="The released file: .pth, .pt, .safetensors.")],
    corpus: Corpus,
    out: Annotated[Path, typer.Option(help="Run folder: made if absent, never overwritten.")],
    clips: Annotated[
        int | None, typer.Option(min=2, help="Judge on so many dev recordings only.")
    ] = None,
    skip_bad: SkipBad = False,
    as_json: AsJson = False,
) -> None:
    """Make a checkpoint of weights that a system's authors released.

    Reads them into the recipe's network, finds threshold and calibration on the corpus's dev split
    (released weights come without), and writes a run folder that exports like one of your own.
    Known: Spec- and MFCC-ResNet (nesl/asvspoof2019), the LFCC-LCNN baseline of ASVspoof 2021,
    AASIST and AASIST-L (clovaai/aasist).

    \b
    Example:
      earlet adopt mfcc-resnet mfcc_logical.pth --corpus corpora/demo --out runs/mfcc
      earlet export runs/mfcc --out bundles/mfcc
    """  # noqa: D301  (typer reads the character \b: keep these lines as they are)
    share_the_processor()
    from earlet_train.recipe import load_recipe

    chosen = load_recipe(recipe)
    from earlet.manifest import canonical_json
    from earlet_train.adopt import adopt as adopt_weights

    origin = adopt_weights(
        chosen,
        weights,
        corpus=corpus,
        out=out,
        clips=clips,
        skip_bad=skip_bad,
        on_left_out=lambda words: typer.echo(words, err=True),
    )
    if as_json:
        typer.echo(canonical_json(dataclasses.asdict(origin)), nl=False)
        return
    typer.echo(
        f"{chosen.name}: the weights of {weights.name} have a dev EER of "
        f"{100 * origin.dev_eer:.2f} % on {origin.dev_trials} recordings of {origin.corpus}.\n"
        f"Next: earlet export {out} --out BUNDLE"
    )
