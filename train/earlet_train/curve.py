"""Draws how a run went: loss above, dev error below, the kept epoch marked."""

from pathlib import Path

from earlet_train.atomic import write_beside
from earlet_train.record import Run

INK, TRAIN, DEV, GRID = "#22303c", "#8a9aa8", "#c2410c", "#e3e8ec"


def draw_curve(run: Run, path: Path) -> None:
    """Write the learning curve of a run with at least one epoch as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    best = run.best
    assert best is not None
    epochs = [row.epoch for row in run.history]
    figure = Figure(figsize=(7.2, 5.6), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True)
    figure.suptitle(
        f"{run.recipe}: trained on {run.corpus} ({run.train_trials:,} recordings)",
        color=INK,
        fontsize=12,
        fontweight="bold",
    )
    above.plot(epochs, [row.train_loss for row in run.history], color=TRAIN, label="train")
    above.plot(epochs, [row.dev_loss for row in run.history], color=DEV, label="dev")
    above.set_ylabel("loss (nats)")
    above.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderpad=0)
    errors, chance = [100 * row.dev_error for row in run.history], chance_error(run)
    below.plot(epochs, errors, color=DEV)
    below.plot([best.epoch], [100 * best.dev_error], "o", color=DEV, markersize=7)
    below.annotate(
        f"kept: epoch {best.epoch}, {100 * best.dev_error:.1f} %",
        (best.epoch, 100 * best.dev_error),
        # Below the lowest point of the line there is room, unless it lies on the floor.
        xytext=(0, -18 if best.dev_error > 0.06 else 12),
        textcoords="offset points",
        ha="right" if best.epoch > len(epochs) / 2 else "left",
        color=INK,
    )
    below.axhline(chance, color=GRID, linewidth=1)
    below.set_ylim(0, max(chance, *errors) * 1.04)
    what = "EER" if run.judged_by == "EER" else "error, mean of labels"
    below.set_ylabel(f"dev {what} (%), {chance:.3g} = chance")
    below.set_xlabel("epoch")
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (above, below):
        axes.grid(color=GRID, linewidth=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK)
    write_beside(path, lambda file: figure.savefig(file, format="png"))


def chance_error(run: Run) -> float:
    """What guessing would give, in percent: half of two labels, ten in eleven of eleven."""
    labels = max(2, len(run.labels_held))
    return 100 * (1 - 1 / labels)
