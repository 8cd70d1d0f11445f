"""The streaming twin of a network: its graphs for one chunk, and when they answer about what."""

from dataclasses import dataclass

import onnx

from earlet.errors import ParityError
from earlet.streaming import State
from earlet_export.join import join
from earlet_export.quantize import finished
from earlet_export.streaming.flow import Blocked
from earlet_export.streaming.frontend import Framing, chunk_frontend, framing
from earlet_export.streaming.plan import Plan, plan_model
from earlet_export.streaming.weave import weave
from earlet_export.trace import Kept, Traced, frontend_graph
from earlet_train.network import Network

# A verdict about four times a second, where the network's strides allow.
CHUNK_S = 0.256


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When a stream says what; see `earlet.streaming`.

    `span_frames`: how far behind the newest frame the judged window begins.
    """

    chunk_frames: int
    chunk_samples: int
    span_frames: int
    lead_samples: int
    warmup_chunks: int


@dataclass(frozen=True, kw_only=True)
class Twin:
    """What all precisions of a network share when it streams."""

    framing: Framing
    plan: Plan
    schedule: Schedule
    frontend: onnx.ModelProto
    state: State

    def graph(self, model: onnx.ModelProto) -> tuple[onnx.ModelProto, tuple[State, ...]]:
        """Model graph of a window, in float or `annotated` -> the joined graph of a chunk."""
        woven = weave(
            model,
            plan_model(model),
            chunk_frames=self.schedule.chunk_frames,
            span=self.schedule.span_frames,
        )
        joined = join(self.frontend, finished(woven.model))
        return joined, (self.state, *woven.states)


def twin(
    network: Network,
    traced: Traced,
    *,
    sample_rate_hz: int,
    chunk_s: float = CHUNK_S,
    kept: Kept = "compact",
) -> Twin:
    """Network and its two graphs of a window -> its streaming twin.

    Raises ParityError, naming the part and what to change, where the network cannot stream.
    """
    found = framing(network, window_samples=traced.window_samples)
    if isinstance(found, Blocked):
        raise _refusal("frontend", found)
    plan = plan_model(traced.model)
    if plan.obstacle is not None:
        raise _refusal(plan.obstacle.name, plan.obstacle.blocked, share=plan.tail_share)
    schedule = scheduled(
        found, plan, window_samples=traced.window_samples, chunk_s=chunk_s, rate_hz=sample_rate_hz
    )
    graph = frontend_graph(network, samples=found.heard_samples(schedule.chunk_frames), kept=kept)
    frontend, state = chunk_frontend(graph, found, chunk_frames=schedule.chunk_frames)
    return Twin(framing=found, plan=plan, schedule=schedule, frontend=frontend, state=state)


def scheduled(
    found: Framing, plan: Plan, *, window_samples: int, chunk_s: float, rate_hz: int
) -> Schedule:
    """The chunk nearest to `chunk_s` that the strides allow, and what follows from it.

    The answer after q + 1 chunks is about the window that begins `span` before the newest sample.
    So many zeros lead the sound that these beginnings fall on its samples 0, chunk, 2 chunk, ...
    """
    hop, stride, late = found.hop_samples, plan.stride, found.reach.delay(0)
    chunk_frames = max(1, round(chunk_s * rate_hz / (hop * stride))) * stride
    chunk = chunk_frames * hop
    # The window's last sample must have been heard: whether it is silent depends on it too.
    frames = max(plan.span, -(-window_samples // hop) - late)
    span_frames = -(-frames // stride) * stride
    # The frontend itself lags behind the sound.
    span = (span_frames + late) * hop
    lead = -span % chunk
    return Schedule(
        chunk_frames=chunk_frames,
        chunk_samples=chunk,
        span_frames=span_frames,
        lead_samples=lead,
        warmup_chunks=(span + lead) // chunk - 1,
    )


def _refusal(name: str, blocked: Blocked, *, share: float | None = None) -> ParityError:
    part = "the frontend" if name == "frontend" else name
    often = (
        ""
        if share is None
        else f" From there on everything, {100 * share:.0f} % of the work, would be done anew for "
        "every window."
    )
    change = f" {blocked.change[:1].upper()}{blocked.change[1:]}." if blocked.change else ""
    return ParityError(
        f"this network cannot stream: {part} needs the whole window: {blocked.why}.{often}{change}"
        ' Or set stream = "window" in [export]: every window is then computed whole.'
    )
