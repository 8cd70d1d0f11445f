"""The parity table of the frontends, on the terminal and as a page of Markdown."""

from collections.abc import Sequence
from importlib.metadata import version

from parity.cases import Case
from parity.measure import Difference, Measured
from parity.signals import CONSTRUCTED
from parity.spectra import WrittenOut
from parity.speed import Timed
from rich import box
from rich.table import Table

HEAD = (
    "frontend",
    "CxFxN",
    "form",
    "GMAC",
    "unit",
    "99.9 %",
    "max",
    "ONNX: max",
    "constructed: max",
    "holds",
)


def summary(measured: Sequence[Measured]) -> Table:
    """One line a frontend, for a terminal."""
    table = Table(title="|error| of frontends, 4 s at 16 kHz", box=box.SIMPLE_HEAD)
    for name in HEAD:
        if name != "unit":
            table.add_column(name, no_wrap=True)
    for item in measured:
        table.add_row(
            *(cell for name, cell in zip(HEAD, line(item), strict=True) if name != "unit")
        )
    return table


def page(
    measured: Sequence[Measured],
    *,
    speech: str,
    timings: Sequence[Timed] = (),
    adopted: Sequence[WrittenOut] = (),
) -> str:
    """Markdown: the same lines, each sound by itself, the bounds with their reasons, the speed."""
    tools = ("torch", "onnxruntime", "numpy", "scipy", "librosa", "torchaudio")
    parts = [
        "# Frontends against their definitions",
        "Written by `make frontends`; not edited by hand. Each frontend, in float32 as it is "
        "deployed, against an independent definition in float64 (`tests/oracles`), and its ONNX "
        "graph alone in ONNX Runtime against torch. 4 s at 16 kHz; |error| in the feature's own "
        "unit; GMAC: multiplications of one clip. Columns of the first table: 99.9th percentile "
        "and maximum on speech and white noise, torch against the definition; maximum there, ONNX "
        "Runtime against torch; maximum of either on silence, square, impulse and half speech.",
        f"Speech: {speech}. With " + ", ".join(f"{t} {version(t)}" for t in tools) + ".",
        _markdown(HEAD, [line(item) for item in measured]),
        "## Each sound",
        "torch against the definition, then ONNX Runtime against torch.",
        _markdown(
            ("frontend", "sound", "99.9 %", "max", "ONNX: 99.9 %", "max"),
            [
                (item.case.name, row.sound, *_cells(row.oracle), *_cells(row.onnx))
                for item in measured
                for row in item.rows
            ],
        ),
        "## Bounds",
        "A broken one makes `make frontends` and `make test` fail.",
        _markdown(
            ("frontend", "99.9 %", "max", "ONNX: max", "constructed", "why not less"),
            [_bounds(item.case) for item in measured],
        ),
    ]
    if timings:
        parts += [
            "## Speed",
            "ln |X|^2 of 4 s of white noise, as a graph in ONNX Runtime, one thread, in turn with "
            "the same by a convolution with DFT kernels; ratios of the least CPU times. "
            "Loading: the graph that keeps recipes for its kernels against the one that stores "
            "them. Apart: the largest difference of ln |X|^2 from the convolution in bins above "
            "-40 dB of the loudest.",
            _markdown(
                (
                    "n_fft / hop",
                    "form",
                    "to the convolution",
                    "loading",
                    "kB",
                    "stored kB",
                    "apart",
                ),
                [
                    (
                        f"{t.n_fft} / {t.hop_samples}",
                        t.form,
                        f"{t.to_convolution:.2f}",
                        f"{t.loading:.2f}",
                        f"{t.size_bytes / 1e3:.0f}",
                        f"{t.stored_bytes / 1e3:.0f}",
                        f"{t.apart:.1e}",
                    )
                    for t in timings
                ],
            ),
        ]
    if adopted:
        parts += [
            "## Spectra of adopted models",
            "Waveform -> ln |X|^2 of 4 s of white noise as other people's models compute it, and "
            "as `earlet adopt` writes it out, in turn on one thread; ratio of the least CPU times. "
            "Errors: of the complex spectrum against float64, as a share of its largest bin: what "
            "is 1e-5 there drowns bins 100 dB below.",
            _markdown(
                ("as it came", "n_fft / hop", "time written out", "error before", "after"),
                [
                    (
                        one.kind,
                        f"{one.n_fft} / {one.hop_samples}",
                        f"{one.time:.2f}",
                        f"{one.error_before:.1e}",
                        f"{one.error_after:.1e}",
                    )
                    for one in adopted
                ],
            ),
        ]
    return "\n\n".join(parts) + "\n"


def line(item: Measured) -> tuple[str, ...]:
    """One frontend in the columns of HEAD."""
    usual = [row for row in item.rows if row.sound not in CONSTRUCTED]
    constructed = [row for row in item.rows if row.sound in CONSTRUCTED]
    return (
        item.case.name,
        "x".join(map(str, item.shape)),
        ", ".join(item.forms) or "-",
        f"{item.multiplications / 1e9:.3f}",
        item.case.unit,
        f"{max(row.oracle.typical for row in usual):.1e}",
        f"{max(row.oracle.largest for row in usual):.1e}",
        f"{max(row.onnx.largest for row in usual):.1e}",
        f"{max(max(row.oracle.largest, row.onnx.largest) for row in constructed):.1e}",
        "no" if item.broken() else "yes",
    )


def _bounds(case: Case) -> tuple[str, ...]:
    numbers = (case.typical, case.largest, case.onnx, case.constructed)
    return (case.name, *(f"{n:g}" for n in numbers), case.reason)


def _cells(error: Difference) -> tuple[str, str]:
    return f"{error.typical:.1e}", f"{error.largest:.1e}"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
