"""Makes a checkpoint of weights that somebody else trained, so that they export like our own.

    adopt(load_recipe("mfcc-resnet"), Path("mfcc_logical.pth"), corpus=..., out=Path("runs/mfcc"))

Released weights come without a threshold. It is found where a training would find it: on the dev
split of a corpus, by the recipe's own windows.
"""

import platform
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import numpy as np

from earlet.bad_recordings import left_out
from earlet.errors import RecipeError, UsageError
from earlet.metrics import equal_error_rate
from earlet.scoring import score_waveforms
from earlet_train.calibration import fit_calibration, operating_point
from earlet_train.checkpoint import BEST, Origin, save_checkpoint
from earlet_train.dataset import corpus_hash, load_split
from earlet_train.network import build_network, numpy_logits
from earlet_train.published import open_published
from earlet_train.recipe import Recipe
from earlet_train.released_weights import load_released


def adopt(
    recipe: Recipe,
    weights: Path,
    *,
    corpus: Path,
    out: Path,
    clips: int | None = None,
    skip_bad: bool = False,
    on_left_out: Callable[[str], None] = lambda words: None,
    on_progress: Callable[[], None] = lambda: None,
) -> Origin:
    """Read released `weights` into the recipe's network, judge the dev split, write `out`.

    `clips`: judge on so many recordings only. `skip_bad`: leave out those that cannot be used;
    `on_left_out` hears which. -> what the checkpoint says of itself; epoch 0,
    because nothing was trained here. Raises BundleError or RecipeError where the weights do not
    fit, CorpusError, and UsageError where `out` already holds a checkpoint.
    """
    file = out / BEST
    if file.exists():
        raise UsageError(f"{out} already holds a checkpoint. Give another folder.")
    network = build_network(recipe)
    loaded = load_released(weights, network.model, labels=recipe.labels)
    if loaded.fresh:
        raise RecipeError(
            f"{weights} has no weights for {', '.join(loaded.fresh)}: such a network has to be "
            "trained before it can judge."
        )
    name = corpus.resolve().name
    if recipe.published is not None:
        opened = open_published(
            recipe.published,
            corpus,
            run=out,
            rate_hz=recipe.data.sample_rate_hz,
            skip_bad=skip_bad,
        )
        corpus = opened.folder
        if opened.left_out:
            on_left_out(opened.told)
    dev = load_split(
        corpus, "dev", recipe=recipe, clips=clips, skip_bad=skip_bad, on_progress=on_progress
    )
    if dev.left_out:
        on_left_out(left_out(dev.left_out, of=len(dev) + len(dev.left_out)))
    raw = score_waveforms(
        map(dev.waveform, range(len(dev))),
        numpy_logits(network),
        policy=recipe.data.window,
        positive_index=recipe.positive_index,
    )
    is_positive = np.array([trial.key == recipe.positive for trial in dev.trials])
    calibration = fit_calibration(raw, is_positive)
    threshold, point = operating_point(raw, is_positive, calibration, data=f"{name}, dev")
    packages = ("earlet", "torch", "numpy")
    origin = Origin(
        epoch=0,
        seed=recipe.seed,
        corpus=name,
        corpus_sha256=corpus_hash(dev),
        train_trials=0,
        dev_trials=len(dev),
        dev_eer=equal_error_rate(raw, is_positive).eer,
        threshold=threshold,
        operating_point=point,
        calibration=calibration,
        versions={"python": platform.python_version()}
        | {package: version(package) for package in packages}
        | {"released weights": f"{weights.name} sha256 {sha256(weights.read_bytes()).hexdigest()}"},
    )
    out.mkdir(parents=True, exist_ok=True)
    save_checkpoint(file, weights=network.state_dict(), recipe=recipe, origin=origin)
    return origin
