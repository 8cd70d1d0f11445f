"""Official folds as splits: one is tested on, one may watch over training, the rest trains."""

from pathlib import Path

from earlet.errors import CorpusError, UsageError


def check_folds(*, fold: int, dev_fold: int, folds: int) -> None:
    """Raises UsageError where there is no such fold, or one has two uses."""
    if not 1 <= fold <= folds or not 0 <= dev_fold <= folds or fold == dev_fold:
        raise UsageError(
            f"--fold {fold} --dev-fold {dev_fold}: there are the folds 1 to {folds}; one is tested "
            "on, another may watch over training (0: none)."
        )


def split_of(number: int, *, fold: int, dev_fold: int) -> str:
    """The split of a recording in this fold."""
    return {fold: "eval", dev_fold: "dev"}.get(number, "train")


def refuse_an_absent_fold(seen: set[int], *, fold: int, dev_fold: int, listing: Path) -> None:
    """Raises CorpusError where the fold that is asked for holds nothing."""
    for wanted in (fold, dev_fold):
        if wanted and wanted not in seen:
            raise CorpusError(
                f"{listing} lists no recording of fold {wanted}; it has the folds "
                f"{', '.join(map(str, sorted(seen)))}."
            )
