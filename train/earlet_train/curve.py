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
    errors = [100 * row.dev_eer for row in run.history]
    below.plot(epochs, errors, color=DEV)
    below.plot([best.epoch], [100 * best.dev_eer], "o", color=DEV, markersize=7)
    below.annotate(
        f"kept: epoch {best.epoch}, {100 * best.dev_eer:.1f} %",
        (best.epoch, 100 * best.dev_eer),
        # Below the lowest point of the line there is room, unless it lies on the floor.
        xytext=(0, -18 if best.dev_eer > 0.06 else 12),
        textcoords="offset points",
        ha="right" if best.epoch > len(epochs) / 2 else "left",
        color=INK,
    )
    below.axhline(50, color=GRID, linewidth=1)
    below.set_ylim(0, max(50.0, *errors) * 1.04)
    below.set_ylabel("dev EER (%), 50 = chance")
    below.set_xlabel("epoch")
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (above, below):
        axes.grid(color=GRID, linewidth=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK)
    write_beside(path, lambda file: figure.savefig(file, format="png"))
