"""Writes evaluations into a folder: a page to read, JSON to go on with, and pictures."""

from collections.abc import Sequence
from pathlib import Path

from earlet.errors import UsageError
from earlet_bench.evaluation.evaluation import Evaluation, Judged, to_json
from earlet_bench.evaluation.pictures import draw_all
from earlet_bench.evaluation.score_file import write_text
from earlet_bench.evaluation.tables import tables, warnings

PAGE, JSON = "evaluation.md", "evaluation.json"


def write_folder(judged: Sequence[Judged], folder: Path) -> list[Path]:
    """Page, JSON and pictures -> what was written. Raises MissingExtra, UsageError."""
    folder.mkdir(parents=True, exist_ok=True)
    evaluations = [one.evaluation for one in judged]
    pictures = draw_all(judged, folder)
    write_text(folder / JSON, to_json(evaluations))
    # The page last: it links to the others.
    write_text(folder / PAGE, markdown(evaluations, pictures=[p.name for p in pictures]))
    return [folder / PAGE, folder / JSON, *pictures]


def check_folder(folder: Path) -> None:
    """Raises UsageError where no folder can be made of that name."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {folder} is a file; name a folder for the page and its pictures.")


def markdown(evaluations: Sequence[Evaluation], *, pictures: Sequence[str] = ()) -> str:
    """The page: what was judged on what, then warnings, tables and pictures."""
    lines = ["# Evaluation", "", *(f"{line}  " for line in about(evaluations)), ""]
    lines += [f"**Attention.** {warning}\n" for warning in warnings(evaluations)]
    for table in tables(evaluations):
        lines.append(table.markdown())
    for name in pictures:
        lines.append(f"![{Path(name).stem}]({name})\n")
    return "\n".join(lines).rstrip() + "\n"


def about(evaluations: Sequence[Evaluation]) -> list[str]:
    """Data, split and how many trials; which files were judged; what was left out."""
    first = evaluations[0]
    part = f"{first.trials} trials"
    if first.trials < first.listed:
        part += f" of {first.listed}"
    if first.seed is not None:
        part += f", drawn with seed {first.seed}"
    lines = [f"Data: {first.data}, split {first.split}, {part}."]
    for one in evaluations:
        digest = "" if one.sha256 is None else f", sha256 {one.sha256}"
        lines.append(f"Judged: {one.subject}{digest}.")
    if first.skipped:
        shown = "; ".join(first.skipped[:5])
        more = "" if len(first.skipped) <= 5 else "; ..."
        lines.append(f"Left out as asked: {len(first.skipped)} recordings ({shown}{more}).")
    return lines
