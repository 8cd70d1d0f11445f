"""Finds the corpus that a run was trained on, when none is named."""

from pathlib import Path

from earlet.errors import UsageError
from earlet.protocol import splits
from earlet_train.published import FOLDER


def find_corpus(recorded: str, *, run: Path) -> Path:
    """What the run recorded as its corpus (a name or a path) -> its folder. Raises UsageError.

    Looked for in the run, which keeps the tables of a published dataset; as it stands; beside the
    run; and in a folder `corpora` beside the folder of runs.
    """
    home = run.absolute() if run.is_dir() else run.absolute().parent
    places = (
        home / FOLDER,
        Path(recorded),
        home.parent / recorded,
        home.parent.parent / recorded,
        home.parent.parent / "corpora" / recorded,
    )
    for place in places:
        if splits(place):
            return place
    raise UsageError(
        f"the run {run} was trained on the corpus {recorded!r}, which is not found from here. "
        "Real recordings are needed to calibrate int8 and to prove the result: name a corpus with "
        "--data CORPUS."
    )
