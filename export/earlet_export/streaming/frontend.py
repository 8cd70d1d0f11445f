"""The frontend as one operator: frame j is made from the samples hop * j to hop * j + kernel - 1.

What a frontend says of itself (`why_not_streaming`) is believed only where it says no. Where it
says nothing, its hop and kernel are found by feeding it sounds of different lengths, and that its
frames depend on nothing else by feeding it a part of the same sound.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from earlet.streaming import NEXT, State
from earlet_export.streaming.flow import Blocked, Reach
from earlet_export.trace import WAVEFORM
from earlet_train.network import Network

STATE = f"state/{WAVEFORM}"
# Who waits longer than that for the next frame does not stream.
_LONGEST_SAMPLES = 1 << 18
_FRAMES_TRIED = 5
# Features are of the order of one; the same frame computed beside other frames rounds differently.
_SAME = 1e-4


@dataclass(frozen=True, kw_only=True)
class Framing:
    """`frames`: of one window, of which frame j reads hop * j to hop * j + kernel - 1."""

    hop_samples: int
    kernel_samples: int
    frames: int

    @property
    def reach(self) -> Reach:
        """In samples."""
        return Reach(stride=self.hop_samples, last=self.kernel_samples - 1)

    def heard_samples(self, frames: int) -> int:
        """Samples that so many frames are made from."""
        return (frames - 1) * self.hop_samples + self.kernel_samples


def framing(network: Network, *, window_samples: int) -> Framing | Blocked:
    """How the frontend (and the adapter, where there is one) runs along time."""
    said = [network.frontend.why_not_streaming()]
    if network.adapter is not None:
        said.append(network.adapter.why_not_streaming())
    if why := "; ".join(filter(None, said)):
        return Blocked(why=why)
    generator = torch.Generator().manual_seed(0)
    sound = torch.randn((1, window_samples + _LONGEST_SAMPLES), generator=generator) * 0.1

    def heard(first: int, last: int) -> Tensor:
        """[C, F, N] of a part of the sound."""
        with torch.no_grad():
            return network.features(sound[:, first:last])[0]

    whole = heard(0, window_samples)
    frames = whole.shape[-1]
    one, two = (
        _length_with(frames + more, heard, above=window_samples, upto=sound.shape[1])
        for more in (1, 2)
    )
    if one is None or two is None:
        return Blocked(why="its number of frames does not grow with the sound")
    hop = two - one
    found = Framing(hop_samples=hop, kernel_samples=one - frames * hop, frames=frames)
    tried = min(_FRAMES_TRIED, frames)
    first = (frames - tried) * hop
    if found.kernel_samples < 1 or found.heard_samples(frames) > window_samples:
        return Blocked(why="it adds frames at a window's ends that are made from less sound")
    part = heard(first, first + found.heard_samples(tried))
    if part.shape != whole[..., -tried:].shape or not _same(part, whole[..., -tried:]):
        return Blocked(why="its frames depend on more of the window than the sound around them")
    return found


def _length_with(
    frames: int, heard: Callable[[int, int], Tensor], *, above: int, upto: int
) -> int | None:
    """Smallest length beyond `above` that gives so many frames; None where none does."""
    low, step = above, 1
    while heard(0, min(low + step, upto)).shape[-1] < frames:
        if low + step >= upto:
            return None
        low, step = low + step, 2 * step
    high = min(low + step, upto)
    while low + 1 < high:
        middle = (low + high) // 2
        if heard(0, middle).shape[-1] < frames:
            low = middle
        else:
            high = middle
    return high


def _same(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= _SAME)


def chunk_frontend(
    graph: onnx.ModelProto, found: Framing, *, chunk_frames: int
) -> tuple[onnx.ModelProto, State]:
    """Frontend graph of `heard_samples(chunk_frames)` samples -> of the next chunk and a state.

    The state is the end of the sound before it, as much as the chunk's first frame reaches back.
    """
    chunk = chunk_frames * found.hop_samples
    kept = found.hop_samples * found.reach.delay(0)
    heard = found.heard_samples(chunk_frames)
    woven = onnx.ModelProto()
    woven.CopyFrom(graph)
    own = woven.graph
    del own.value_info[:]
    whole = f"{STATE}/heard"
    ends = {
        f"{STATE}/{name}": np.array([value], np.int64)
        for name, value in (("0", 0), ("heard", heard), ("chunk", chunk), ("all", chunk + kept))
    }
    ends[f"{STATE}/axis"] = np.array([1], np.int64)
    own.initializer.extend(numpy_helper.from_array(v, f"{n}.at") for n, v in ends.items())

    def cut(made: str, first: str, last: str) -> onnx.NodeProto:
        at = [f"{STATE}/{name}.at" for name in (first, last, "axis")]
        return helper.make_node("Slice", [whole, *at], [made], name=made)

    first = [helper.make_node("Concat", [STATE, WAVEFORM], [whole], name=whole, axis=1)]
    first.append(cut(f"{STATE}{NEXT}", "chunk", "all"))
    read = whole
    if heard < chunk + kept:
        read = f"{STATE}/read"
        first.append(cut(read, "0", "heard"))
    for node in own.node:
        node.input[:] = [read if name == WAVEFORM else name for name in node.input]
        first.append(node)
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in first]
    del own.node[:]
    own.node.extend(nodes)
    batch = own.input[0].type.tensor_type.shape.dim[0].dim_param or "B"
    del own.input[:]
    own.input.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, samples])
        for name, samples in ((WAVEFORM, chunk), (STATE, kept))
    )
    own.output.append(
        helper.make_tensor_value_info(f"{STATE}{NEXT}", TensorProto.FLOAT, [batch, kept])
    )
    return woven, State(name=STATE, shape=(kept,), dtype="float32")
