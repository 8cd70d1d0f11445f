"""From a kind and what was typed to a dataset; an option of another kind is refused."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path

from earlet.errors import UsageError
from earlet_train.corpus.importing import DATASETS
from earlet_train.corpus.importing.dataset import Dataset


def _as_typed(name: str) -> str:
    return "--" + name.replace("_", "-")


def open_dataset(
    kind: str,
    root: Path,
    options: Mapping[str, object],
    *,
    flag: Callable[[str], str] = _as_typed,
) -> Dataset:
    """The dataset of this kind at `root`. Raises UsageError; `flag`: how it writes an option."""
    if kind not in DATASETS:
        near = get_close_matches(kind, DATASETS, n=1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise UsageError(f"there is no kind {kind!r}{hint} The kinds are {', '.join(DATASETS)}.")
    for name in options:
        if name not in _names(DATASETS[kind]):
            takers = [other for other, made in DATASETS.items() if name in _names(made)]
            raise UsageError(
                f"{kind} has no option {flag(name)}; it is one of {', '.join(takers)}."
            )
        value = options[name]
        if name.endswith("_share") and not (isinstance(value, float) and 0 <= value < 1):
            raise UsageError(f"{flag(name)} is {value}, expected a share from 0 to below 1.")
    dataset = DATASETS[kind](root=root, **options)
    shares = [getattr(dataset, n) for n in _names(type(dataset)) if n.endswith("_share")]
    if sum(shares) >= 1:
        raise UsageError(f"the shares set apart add up to {sum(shares):g}, and train gets nothing.")
    return dataset


def _names(made: type[Dataset]) -> set[str]:
    return {field.name for field in fields(made)} - {"root"}
