"""The verb `earlet adopt`; whatever is heavy is imported when it runs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from earlet.errors import UsageError
from earlet_train.cli import AsJson, SkipBad


def adopt(
    model: Annotated[
        str,
        typer.Argument(
            help="An .onnx file or package.module:factory, with --manifest; or the recipe that "
            "released WEIGHTS belong to."
        ),
    ],
    weights: Annotated[
        Path | None,
        typer.Argument(help="Released weights of a known system: .pth, .pt, .safetensors."),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(help="TOML: what the model takes and what its answer means (see below)."),
    ] = None,
    corpus: Annotated[
        Path | None,
        typer.Option(
            "--corpus", "--data", help="Labelled recordings: train calibrates int8, dev proves it."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Bundle to make; with WEIGHTS the run folder.")
    ] = None,
    clips: Annotated[
        int | None, typer.Option(min=2, help="Use so many dev recordings only.")
    ] = None,
    precision: Annotated[
        Literal["auto", "fp32", "int8"],
        typer.Option(help="As for earlet export; with --manifest only."),
    ] = "auto",
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Draw the report's pictures too.")
    ] = True,
    skip_bad: SkipBad = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the bundle that is there already.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Wrap a detector that was not trained with earlet, and prove that nothing changed.

    With --manifest: an ONNX model, or a torch module by its factory's name (its code runs), becomes
    a bundle with fp32 and int8 graphs, golden answers and a card, proven against the untouched
    original. Chunk-by-chunk models with memory become one graph for the whole window. With WEIGHTS:
    weights that a system's authors released become a run folder, to export like one of your own.

    \b
    The manifest, with every table:
      name = "someone-speaks"
      version = "1"
      description = "Tells speech from everything else."
      licence = "MIT"
      training_data = "Not stated by its authors."
      labels = ["noise", "speech"]
      positive = "speech"
      intended_use = "..."      # these three go into the card
      limits = "..."
      origin = "..."
      [data]                    # what one score looks at
      sample_rate_hz = 16000
      window_samples = 16384
      hop_samples = 8192
      min_samples = 4096
      short = "zero"            # tile, stretch, zero or reject
      pooling = "max"           # of the windows: mean, max or first
      [input]                   # left out: the one float input [B, T], in -1 to 1
      name = "input"
      shape = ["B", "T"]        # or ["B", 1, "T"], ["T"], ...
      full_scale = 1.0          # 32768 where it wants 16-bit integers
      constants = {sr = 16000}
      [chunks]                  # called again and again, with a memory
      samples = 512
      context = 64
      pool = "max"              # max, mean or last
      states = {state = "stateN"}
      [output]
      means = "probability"     # logits, log-odds, probabilities, probability, value
      name = "output"
      column = 0                # which number, of several; value: also center and slope
      moments = "max"           # it answers moment by moment: max, mean or last of them
      shape = ["B", "T", "K"]   # recordings, moments, numbers: the axes of such an answer
      [decision]
      threshold = 0.5           # left out: equal error rate on dev; or calibrate = true
      [export]
      seam = "tensor name"      # float up to here; left out: found
      calibration_clips = 64
      [promises]
      int8_max_flip_rate = 0.02

    \b
    Example:
      earlet adopt vad.onnx --manifest vad.toml --data corpora/speech --out bundles/vad
      earlet adopt some.package:detector --manifest d.toml --data corpora/x --out bundles/d
      earlet adopt mfcc-resnet mfcc_logical.pth --corpus corpora/demo --out runs/mfcc

    Known WEIGHTS: Spec- and MFCC-ResNet (nesl/asvspoof2019), the LFCC-LCNN baseline of ASVspoof
    2021, AASIST and AASIST-L (clovaai/aasist).
    """  # noqa: D301  (typer reads the character \b: keep these lines as they are)
    if corpus is None or out is None:
        raise UsageError("earlet adopt needs --data CORPUS and --out FOLDER.")
    if (weights is None) == (manifest is None):
        raise UsageError(
            "say what the model is: --manifest FILE.toml for an .onnx file or torch module, or "
            "the released WEIGHTS after the recipe that they belong to."
        )
    if weights is not None:
        from earlet_train.adopt_cli import adopt as adopt_released

        adopt_released(
            model,
            weights,
            corpus=corpus,
            out=out,
            clips=clips,
            skip_bad=skip_bad,
            as_json=as_json,
        )
        return
    assert manifest is not None
    _wrap(
        model,
        manifest,
        corpus=corpus,
        out=out,
        clips=clips or 400,
        precision=precision,
        pictures=pictures,
        skip_bad=skip_bad,
        force=force,
        as_json=as_json,
    )


def _wrap(
    model: str,
    manifest: Path,
    *,
    corpus: Path,
    out: Path,
    clips: int,
    precision: Literal["auto", "fp32", "int8"],
    pictures: bool,
    skip_bad: bool,
    force: bool,
    as_json: bool,
) -> None:
    import numpy as np

    from earlet.bad_recordings import left_out
    from earlet.manifest import canonical_json
    from earlet.write import refuse_existing
    from earlet_export.foreign.adopt import adopt_model, open_model
    from earlet_export.foreign.page import as_data, summary
    from earlet_export.foreign.spec import load_spec
    from earlet_export.material import gather

    def step(words: str) -> None:
        typer.echo(f"… {words}", err=True)

    refuse_existing(out, replace=force)
    spec = load_spec(manifest)
    step(f"taking {model} apart")
    wrapped = open_model(model, spec)
    step(f"reading recordings of {corpus}")
    material = gather(
        corpus,
        positive=spec.positive,
        window=spec.data.window,
        sample_rate_hz=spec.data.sample_rate_hz,
        calibration_clips=spec.export.calibration_clips,
        proof_clips=clips,
        held_out_clips=0,
        rng=np.random.default_rng(0),
        skip_bad=skip_bad,
    )
    if material.left_out:
        typer.echo(left_out(material.left_out, of=material.chosen), err=True)
    adopted = adopt_model(
        wrapped,
        material,
        out=out,
        data=corpus.resolve().name,
        precision=precision,
        replace=force,
        pictures=pictures,
        on_step=step,
    )
    sizes = {name: graph.size_bytes for name, graph in adopted.manifest.graphs.items()}
    if as_json:
        found = {"bundle": str(out), "sizes_bytes": sizes, **as_data(adopted.adoption)}
        typer.echo(canonical_json(found), nl=False)
    else:
        typer.echo(summary(adopted.adoption, sizes))
        typer.echo(f"{out} is written and verified. Next: earlet bench {out}")
