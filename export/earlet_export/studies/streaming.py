"""Which recipes stream exactly, and what that gives: each is tried, with fresh weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray

from earlet.errors import ParityError, UsageError
from earlet_export.join import join
from earlet_export.run import Runner
from earlet_export.speed import one_thread
from earlet_export.streaming.flow import Blocked
from earlet_export.streaming.frontend import framing
from earlet_export.streaming.plan import plan_model
from earlet_export.streaming.prove import Chunks
from earlet_export.streaming.twin import Twin, twin
from earlet_export.studies.lengths import settle_norms, sounds_of_a_window
from earlet_export.studies.streaming_bundle import untrained_bundle
from earlet_export.studies.streaming_measured import Measured, Measuring, measured
from earlet_export.trace import Traced, trace
from earlet_train.network import build_network
from earlet_train.recipe import Recipe

Array = NDArray[np.float32]

# Windows of the sound that a stream is compared on, beyond those that warm it up.
_CHUNKS = 16


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """A part where a stream ends: its name, why, and what to change where that is known."""

    part: str
    why: str
    change: str = ""


@dataclass(frozen=True, kw_only=True)
class StreamingRow:
    """One recipe. `says`: `exact` or `window`, what it asks of an export.

    `obstacles`: the frontend, where it stops a stream, and the first part of the model that does;
    none where the recipe streams. `tail_share`: of the model's multiplications, the part that would
    be done anew for each window, in 0..1. `hop_s`: from verdict to verdict; `max_abs_logit`: of its
    streaming fp32 graph against the offline one, on noise. `measured`: what its stream gives, where
    that was asked for.
    """

    recipe: str
    says: str
    obstacles: tuple[Obstacle, ...] = ()
    tail_share: float | None = None
    hop_s: float | None = None
    max_abs_logit: float | None = None
    measured: Measured | None = None

    @property
    def streams(self) -> bool:
        """Whether an exact stream can be exported."""
        return not self.obstacles


def study_streaming(
    recipes: Sequence[Recipe],
    *,
    measuring: Measuring | None = None,
    on_step: Callable[[str], None] = lambda _: None,
    on_row: Callable[[list[StreamingRow]], None] = lambda _: None,
) -> list[StreamingRow]:
    """Recipes -> a row each; `on_row` is handed those that are done, after every one.

    `measuring`: also measure those that stream; what does not hold raises nothing, its row says so.
    """
    rows: list[StreamingRow] = []
    with one_thread():
        for recipe in recipes:
            on_step(f"{recipe.name}: does it stream?")
            rows.append(streaming_row(recipe, measuring=measuring, on_step=on_step))
            on_row(rows)
    return rows


def streaming_row(
    recipe: Recipe,
    *,
    measuring: Measuring | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> StreamingRow:
    """Recipe -> its row. Raises RecipeError where its network cannot be built."""
    torch.manual_seed(recipe.seed)
    network = build_network(recipe).eval()
    window, says = recipe.data.window_samples, recipe.export.stream
    obstacles = []
    framed = framing(network, window_samples=window)
    if isinstance(framed, Blocked):
        obstacles.append(Obstacle(part="frontend", why=framed.why, change=framed.change))
    else:
        # Nothing is run otherwise.
        heard = sounds_of_a_window(recipe)
        settle_norms(network, torch.from_numpy(heard))
    try:
        traced = trace(network, window_samples=window, streams=True)
        plan = plan_model(traced.model)
        if (stop := plan.obstacle) is not None:
            blocked = stop.blocked
            obstacles.append(Obstacle(part=stop.name, why=blocked.why, change=blocked.change))
        if obstacles:
            return StreamingRow(
                recipe=recipe.name,
                says=says,
                obstacles=tuple(obstacles),
                tail_share=plan.tail_share,
            )
        made = twin(network, traced, sample_rate_hz=recipe.data.sample_rate_hz)
        away = _away(made, traced, recipe)
    except (ParityError, UsageError) as error:
        obstacles.append(Obstacle(part="export", why=str(error)))
        return StreamingRow(recipe=recipe.name, says=says, obstacles=tuple(obstacles))
    found = None
    if measuring is not None:
        on_step(f"{recipe.name}: making a bundle to measure")
        with TemporaryDirectory() as folder:
            found = measured(
                untrained_bundle(Path(folder), recipe, network, traced, made, heard=heard),
                parameters=sum(part.numel() for part in network.parameters()),
                plan=measuring,
                on_step=lambda words: on_step(f"{recipe.name}: {words}"),
            )
    return StreamingRow(
        recipe=recipe.name,
        says=says,
        tail_share=plan.tail_share,
        hop_s=made.schedule.chunk_samples / recipe.data.sample_rate_hz,
        max_abs_logit=away,
        measured=found,
    )


def _away(made: Twin, traced: Traced, recipe: Recipe) -> float:
    """Largest |logit| difference of the stream from the offline graph, window by window."""
    schedule, window = made.schedule, recipe.data.window_samples
    graph, states = made.graph(traced.model)
    chunks = Chunks(
        graph,
        states,
        schedule=schedule,
        classes=len(recipe.labels),
        source=f"the streaming graph of {recipe.name}",
    )
    samples = (schedule.warmup_chunks + _CHUNKS) * schedule.chunk_samples
    rng = np.random.default_rng(recipe.seed)
    # As loud as speech, and of changing loudness.
    swell = np.interp(np.arange(samples), np.linspace(0, samples, 40), rng.uniform(0, 0.2, 40))
    sound: Array = (rng.standard_normal(samples) * swell).astype(np.float32)
    offline = Runner.of(join(traced.frontend, traced.model))
    starts = range(0, samples - window + 1, schedule.chunk_samples)
    wanted = np.concatenate([offline(sound[None, at : at + window]) for at in starts])
    found = chunks.windows(sound)[: len(wanted)]
    return float(np.abs(found - wanted[: len(found)]).max())
