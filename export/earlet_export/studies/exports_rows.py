"""The rows of the study `exports`, and the folder that keeps them: one small JSON file each."""

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from earlet.manifest import canonical_json
from earlet_train.atomic import write_beside
from earlet_train.checkpoint import Checkpoint


@dataclass(frozen=True, kw_only=True)
class ExportRow:
    """What came of one run. Rates in 0..1, sizes in bytes, ratios of processor time.

    It was trained for `epochs` on so many `recordings`, until its best epoch; `tuned_from`: the run
    that it was fine-tuned from for int8, empty where it was not.
    `eer_change` of int8 from the original (of `tuned_from`, where there is one), with its 95 %
    interval from `low` to `high`, resampled in pairs. `margin`: the median distance of a
    recording's score from the threshold; `moved`: the mean distance that int8 moves it.
    `model_int8_to_fp32`: as `int8_to_fp32`, from features on. `in_float`: layers that the recipe
    or the search keeps in float, of `tried` graphs. `why`: what int8 breaks, empty where it keeps
    all. None where a row of an older version did not say; `checkpoint_sha256` is empty there.
    """

    run: str
    recipe: str
    checkpoint_sha256: str
    corpus: str
    epochs: int
    recordings: int
    tuned_from: str
    decisions: int
    original_eer: float
    fp32_max_abs_logit: float
    int8_max_abs_logit: float | None
    flips: int
    eer_change: float
    low: float
    high: float
    margin: float | None
    moved: float | None
    graph: str
    in_float: int
    tried: int | None
    fp32_bytes: int
    int8_bytes: int
    int8_to_fp32: float
    model_int8_to_fp32: float | None
    fp32_to_torch: float
    why: tuple[str, ...]

    @property
    def hugs_the_threshold(self) -> bool:
        """True where int8 moves scores by a good part of what stands between them and a flip."""
        if self.margin is None or self.moved is None:
            return False
        return self.moved > 0.2 * self.margin


def row_file(out: Path, run: str) -> Path:
    """Where the row of this run is kept."""
    return out / f"{run.replace('/', '--')}.json"


def keep(out: Path, row: ExportRow) -> None:
    """Write the row, whole or not at all."""
    text = canonical_json(dataclasses.asdict(row))
    out.mkdir(parents=True, exist_ok=True)
    write_beside(row_file(out, row.run), lambda beside: beside.write_text(text, encoding="utf-8"))


def kept(out: Path, run: str, checkpoint: Checkpoint) -> ExportRow | None:
    """The row of this very checkpoint, where this version made it before."""
    row = _read(row_file(out, run))
    return row if row is not None and row.checkpoint_sha256 == checkpoint.sha256 else None


def kept_of_others(out: Path, runs: Collection[str]) -> list[ExportRow]:
    """Rows that `out` holds of runs that are not among these: measured elsewhere, or before."""
    found = [_read(file) for file in sorted(out.glob("*.json"))]
    return [row for row in found if row is not None and row.run not in runs]


def _read(file: Path) -> ExportRow | None:
    """None where there is no file, or another version of earlet wrote it."""
    if not file.is_file():
        return None
    try:
        return TypeAdapter(ExportRow).validate_json(file.read_text(encoding="utf-8"))
    except ValidationError:
        return None
