"""`make frontends`: every frontend against its definition on real speech, as a table and a page.

Run as `PYTHONPATH=tests python -m parity.frontends`. Exit codes: 0 all bounds hold, 1 one does not,
2 no corpus.
"""

from pathlib import Path
from typing import Annotated

import torch
import typer
from parity.cases import CASES
from parity.measure import measure
from parity.page import page, summary
from parity.signals import real_speech, signals
from parity.spectra import written_out
from parity.speed import timed
from rich.console import Console
from rich.progress import track

from earlet.errors import CorpusError
from earlet_train.atomic import write_beside

CLIPS = 6


def main(
    data: Annotated[Path, typer.Option(help="A corpus with real speech.")] = Path(
        "build/demo/corpus"
    ),
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path(
        "benchmarks/results/frontends.md"
    ),
) -> None:
    """Compare every frontend with its definition and with its ONNX graph."""
    torch.set_num_threads(1)
    errors = Console(stderr=True)
    # In a log or a pipe rich takes 80 columns, too few for the table.
    console = Console(width=None if errors.is_terminal else 120)
    try:
        speech = real_speech(data, clips=CLIPS)
    except CorpusError as error:
        errors.print(
            f"{error} Speech is read from a corpus: run `make demo` once, which builds "
            "build/demo/corpus, or name another one with DATA=FOLDER.",
            soft_wrap=True,
        )
        raise typer.Exit(2) from None
    sounds = signals(speech)
    measured = [
        measure(case, sounds)
        for case in track(CASES, "frontends", console=errors, disable=not errors.is_terminal)
    ]
    timings, adopted = timed(), written_out()
    speech_words = f"{CLIPS} clips of the eval split of {data.name!r}"
    text = page(measured, speech=speech_words, timings=timings, adopted=adopted)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_beside(out, lambda path: path.write_text(text, encoding="utf-8"))
    console.print(summary(measured))
    for row in timings:
        console.print(
            f"{row.n_fft}/{row.hop_samples} {row.form}: {row.to_convolution:.2f} of the "
            f"convolution's time, loads in {row.loading:.2f} of the stored kernels' time"
        )
    for one in adopted:
        console.print(
            f"{one.kind} {one.n_fft}/{one.hop_samples} of a foreign model, written out: "
            f"{one.time:.2f} of its time"
        )
    broken = [sentence for item in measured for sentence in item.broken()]
    broken += [sentence for row in timings for sentence in row.broken()]
    for sentence in broken:
        errors.print(f"broken: {sentence}", soft_wrap=True)
    console.print(f"Every sound and every bound: {out}")
    raise typer.Exit(1 if broken else 0)


if __name__ == "__main__":
    typer.run(main)
