"""A recipe's `[data] kind`: train on a published dataset as it was unpacked, without importing it.

    [data]
    kind = "urbansound8k"       # any kind of `earlet corpus import`, with its options
    fold = 10
    dev_fold = 9
    convert = true              # to mono of sample_rate_hz, where the files are something else
    sample_rate_hz = 16000

    earlet train mine.toml --corpus downloads/UrbanSound8K --out runs/mine

The run keeps what an import writes in its folder, `RUN/corpus`: the tables (and the audio, if it is
converted), which the run goes on with and which `earlet export` finds there.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from earlet.bad_recordings import NAMED_AT_MOST
from earlet.errors import RecipeError, UsageError
from earlet.table import MARK
from earlet_train.corpus.importing import DATASETS
from earlet_train.corpus.importing.importer import Order, import_dataset, options_of
from earlet_train.corpus.importing.options import open_dataset
from earlet_train.tables import build, nearest, refuse_unknown

FOLDER = "corpus"
_OWN = ("kind", "convert")


@dataclass(frozen=True, kw_only=True)
class Published:
    """Which dataset is at --corpus, and how to read it. `convert`: to the recipe's rate, mono."""

    kind: str
    options: Mapping[str, object]
    convert: bool = False


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A corpus that can be read. `left_out`: files of the dataset that cannot be used, and why."""

    folder: Path
    left_out: Mapping[str, str]

    @property
    def told(self) -> str:
        """What to say on stderr where there are any."""
        lines = [f"  {file} {why}" for file, why in list(self.left_out.items())[:NAMED_AT_MOST]]
        if len(self.left_out) > NAMED_AT_MOST:
            lines.append(f"  and {len(self.left_out) - NAMED_AT_MOST} more")
        return "\n".join([f"left out {len(self.left_out)} files that cannot be used:", *lines])


def published(
    table: Mapping[str, Any], *, others: Sequence[str], source: str
) -> tuple[Published | None, Mapping[str, Any]]:
    """The keys of [data] -> what they say of a published dataset, and the `others`.

    Looks at no data. Raises RecipeError on a kind, a key or a value that there is not.
    """
    kind = table.get("kind")
    if kind is None:
        refuse_unknown(table, [*others, *_OWN], source=source, where="[data]")
        if "convert" in table:
            raise RecipeError(
                f"{source}: [data] convert is for a published dataset: name its kind, or take the "
                "key out and convert by: earlet corpus import --convert"
            )
        return None, table
    if not isinstance(kind, str) or kind not in DATASETS:
        raise RecipeError(
            f"{source}: [data] there is no kind {kind!r}{nearest(str(kind), DATASETS)} The kinds "
            f"are: {', '.join(DATASETS)}. Without a kind, --corpus is a corpus of earlet or an "
            "ASVspoof 2019 tree."
        )
    where = f"[data] of kind {kind!r}"
    hints = get_type_hints(DATASETS[kind])
    names = [field.name for field in fields(DATASETS[kind]) if field.name != "root"]
    refuse_unknown(table, [*others, *_OWN, *names], source=source, where=where)
    given = {
        # TOML has no paths.
        key: Path(value) if isinstance(value, str) and hints[key] == Path | None else value
        for key, value in table.items()
        if key in names
    }
    typed = build(DATASETS[kind], {"root": Path(), **given}, source=source, where=where)
    options = {key: getattr(typed, key) for key in given}
    try:
        open_dataset(kind, Path(), options, flag=str)
    except UsageError as error:
        raise RecipeError(f"{source}: {where}: {error}") from None
    convert = table.get("convert", False)
    if not isinstance(convert, bool):
        raise RecipeError(
            f"{source}: {where}, key 'convert': found {convert!r}, expected true or false: files "
            "are converted to the recipe's sample_rate_hz."
        )
    rest = {key: table[key] for key in table if key not in (*names, *_OWN)}
    return Published(kind=kind, options=options, convert=convert), rest


def open_published(
    wanted: Published, corpus: Path, *, run: Path, rate_hz: int, skip_bad: bool
) -> Opened:
    """The dataset at `corpus` as a corpus in the folder `run`, read once and then kept there.

    Every file's header is looked at. Raises CorpusError where `corpus` does not fit the kind as
    published, UsageError where the run has begun with another dataset or other options.
    """
    folder = run / FOLDER
    order = Order(
        kind=wanted.kind,
        dataset=open_dataset(wanted.kind, corpus, wanted.options),
        out=folder,
        convert_hz=rate_hz if wanted.convert else None,
        skip_bad=skip_bad,
    )
    # What a kill in the middle of reading left behind.
    for partial in run.glob(f".{FOLDER}.*.partial"):
        shutil.rmtree(partial)
    if (folder / MARK).is_file():
        _refuse_another(order)
    else:
        import_dataset(order)
    held = json.loads((folder / MARK).read_text(encoding="utf-8"))["left_out"]
    known = order.dataset.left_out()
    return Opened(folder=folder, left_out={k: v for k, v in held.items() if k not in known})


def _refuse_another(order: Order) -> None:
    found = json.loads((order.out / MARK).read_text(encoding="utf-8"))
    asked = {
        "kind": order.kind,
        "source": str(order.dataset.root.absolute()),
        "options": options_of(order),
    }
    for name, value in asked.items():
        if found.get(name) != value:
            raise UsageError(
                f"{order.out} was read from another dataset: its {name} is {found.get(name)}, "
                f"and now it is {value}. Give what the run was started with, "
                "or delete that folder, or give another --out."
            )
