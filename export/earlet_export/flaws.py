"""What makes a graph slow in ONNX Runtime: the flaws that the linter knows, and what to do instead.

Each rule looks at the graph that ONNX Runtime itself made of the file, so what it managed to fuse
is not complained about. `slower`: what the flaw cost elsewhere, on one x86 core with VNNI, in a
small network of 3x3 convolutions (32 channels, 129 x 201 positions): a hint of its size, nothing
measured here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import onnx

from earlet_export.passes.wiring import Wiring, attribute
from earlet_export.widen import LAID_OUT

# Channels are computed sixteen at a time.
LANES = 16
_CONVOLUTIONS = ("QLinearConv", "Conv", "FusedConv")
_WEIGHTED = (*_CONVOLUTIONS, "MatMul", "Gemm", "FusedGemm", "FusedMatMul", "QGemm", "QLinearMatMul")
_INT8 = ("QLinearConv", "QGemm", "QLinearMatMul", "MatMulIntegerToFloat", "DynamicQuantizeMatMul")
_ACTIVATIONS = frozenset(
    {"Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Gelu", "FastGelu", "QuickGelu", "Erf"}
    | {"HardSigmoid", "HardSwish", "Softplus", "Mish", "Tanh", "ThresholdedRelu", "BiasGelu"}
    | {"QLinearLeakyRelu", "QLinearSigmoid", "Sigmoid", "Clip"}
)
_LAYOUT = ("Transpose", "ReorderInput", "ReorderOutput")
_NORMALIZATIONS = frozenset(
    {"InstanceNormalization", "LayerNormalization", "GroupNormalization", "GroupNorm"}
    | {"SkipLayerNormalization", "LpNormalization", "MeanVarianceNormalization"}
)


@dataclass(frozen=True, kw_only=True)
class Flaw:
    """One kind of flaw. `find`: Scene -> names of the nodes that have it."""

    key: str
    what: str
    change: str
    slower: str
    find: "Callable[[Scene], Iterator[str]]"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The part behind the frontend of an optimised graph, in the order it runs.

    `int8`: whether anything in it computes in eight bits; `last`: its last layer with weights,
    which stays in float on purpose.
    """

    nodes: list[onnx.NodeProto]
    wiring: Wiring
    int8: bool
    last: str
    floats: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, model: onnx.ModelProto, *, frontend: str = "frontend/") -> "Scene":
        """`frontend`: how the names of nodes before the seam begin, suffixes of ORT aside."""
        wiring = Wiring.of(model.graph)
        behind = [n for n in model.graph.node if not n.name.startswith(frontend)]
        weighted = [n.name for n in behind if n.op_type in _WEIGHTED]
        return cls(
            nodes=behind,
            wiring=wiring,
            int8=any(n.op_type in _INT8 for n in behind),
            last=weighted[-1] if weighted else "",
            floats=frozenset(_between_conversions(behind)),
        )

    def weight(self, node: onnx.NodeProto) -> tuple[int, ...]:
        """Sizes of a convolution's weights [out, in per group, ...]; empty where computed."""
        name = node.input[3] if node.op_type == "QLinearConv" else node.input[1]
        found = self.wiring.constants.get(name)
        return () if found is None else tuple(found.dims)


def _float_layers(scene: Scene) -> Iterator[str]:
    for node in scene.nodes:
        is_float = node.op_type in _WEIGHTED and node.op_type not in _INT8
        constant = any(name in scene.wiring.constants for name in node.input[:2])
        if scene.int8 and is_float and constant and node.name != scene.last:
            yield node.name


def _activations(scene: Scene) -> Iterator[str]:
    for node in scene.nodes:
        if node.op_type in _ACTIVATIONS and not _behind(scene, node, scene.last):
            yield node.name


def _transposes(scene: Scene) -> Iterator[str]:
    """All but one on the way in and one on the way out."""
    found = [node.name for node in scene.nodes if node.op_type in _LAYOUT]
    yield from found[1:-1]


def _channels(scene: Scene) -> Iterator[str]:
    for node in scene.nodes:
        if node.op_type in _CONVOLUTIONS and len(sizes := scene.weight(node)) > 3:
            group: int = attribute(node, "group", 1)
            out, into = sizes[0], sizes[1] * group
            few = into <= 3 or node.input[0].endswith(LAID_OUT)
            if group == 1 and (out % LANES or (into % LANES and not few)):
                yield node.name


def _depthwise(scene: Scene) -> Iterator[str]:
    for node in scene.nodes:
        sizes = scene.weight(node) if node.op_type == "QLinearConv" else ()
        if sizes and attribute(node, "group", 1) > 1 and sizes[1] < LANES:
            yield node.name


def _average_pools(scene: Scene) -> Iterator[str]:
    names = ("QLinearAveragePool", "AveragePool") if scene.int8 else ()
    yield from (node.name for node in scene.nodes if node.op_type in names)


def _batch_norms(scene: Scene) -> Iterator[str]:
    yield from (node.name for node in scene.nodes if node.op_type == "BatchNormalization")


def _normalizations(scene: Scene) -> Iterator[str]:
    yield from (node.name for node in scene.nodes if node.op_type in _NORMALIZATIONS)


def _means(scene: Scene) -> Iterator[str]:
    if scene.int8:
        for node in scene.nodes:
            if node.op_type in ("ReduceMean", "GlobalAveragePool"):
                yield node.name


def _pads(scene: Scene) -> Iterator[str]:
    """Less those of few channels that are put into blocks anyway, which costs next to nothing."""
    yield from (
        node.name
        for node in scene.nodes
        if node.op_type == "Pad" and not node.output[0].endswith(LAID_OUT)
    )


def _recurrent(scene: Scene) -> Iterator[str]:
    yield from (node.name for node in scene.nodes if node.op_type in ("LSTM", "GRU", "RNN"))


def _spectra(scene: Scene) -> Iterator[str]:
    yield from (node.name for node in scene.nodes if node.op_type in ("STFT", "DFT"))


def _islands(scene: Scene) -> Iterator[str]:
    """Float between two int8 parts, with the conversions, less what has a flaw of its own."""
    own = {name for flaw in FLAWS if flaw.find is not _islands for name in flaw.find(scene)}
    yield from (
        node.name for node in scene.nodes if node.name in scene.floats and node.name not in own
    )


def _between_conversions(nodes: list[onnx.NodeProto]) -> Iterator[str]:
    """Names of the nodes between a DequantizeLinear and a QuantizeLinear, both with them."""
    after: set[str] = set()
    for node in nodes:
        if node.op_type == "DequantizeLinear" or (
            node.op_type != "QuantizeLinear"
            and node.op_type not in _INT8
            and after.intersection(node.input)
        ):
            after.update(node.output)
    before: set[str] = set()
    for node in reversed(nodes):
        ends = node.op_type == "QuantizeLinear" and after.intersection(node.input)
        inside = before.intersection(node.output) and after.intersection(node.output)
        if ends or inside:
            yield node.name
            before.update(after.intersection(node.input))


def _behind(scene: Scene, node: onnx.NodeProto, last: str) -> bool:
    """Whether it comes after the last layer: on a handful of logits nothing is slow."""
    names = [n.name for n in scene.nodes]
    return last in names and names.index(node.name) > names.index(last)


FLAWS = (
    Flaw(
        key="float-layer",
        what="computes in float in an int8 graph",
        change="find out why it was kept: `report.md` lists what int8 damages there; clamp or "
        "normalize its input, or drop it from [export] exclude",
        slower="x2.4 (float against int8)",
        find=_float_layers,
    ),
    Flaw(
        key="batch-norm",
        what="is not folded into a layer",
        change="put batch norms directly behind convolutions (Conv, BN, ReLU), not before them or "
        "behind activations and sums",
        slower="x1.2",
        find=_batch_norms,
    ),
    Flaw(
        key="activation",
        what="is a pass of its own, not part of the layer before it",
        change="use ReLU (or ReLU6) behind convolutions and sums",
        slower="leaky ReLU x1.17, SiLU x1.28, GELU x1.8, PReLU, ELU and SELU x2.1",
        find=_activations,
    ),
    Flaw(
        key="channels",
        what="has channels that are no multiple of 16",
        change="use 16, 32, 48 ... channels: rounded up they are faster, not slower",
        slower="30 channels x1.7, 33 channels x1.9 of 32",
        find=_channels,
    ),
    Flaw(
        key="depthwise",
        what="is a depthwise or narrowly grouped convolution in int8",
        change="use full convolutions with fewer channels, or export with --precision fp32",
        slower="x1.2 of its own float form",
        find=_depthwise,
    ),
    Flaw(
        key="average-pool",
        what="averages in int8, channel by channel",
        change="use a strided convolution or max pooling inside the network",
        slower="x1.6",
        find=_average_pools,
    ),
    Flaw(
        key="normalization",
        what="normalizes by statistics of the input, in float",
        change="use batch norm, which costs nothing once trained",
        slower="x1.4",
        find=_normalizations,
    ),
    Flaw(
        key="mean",
        what="averages a map in float",
        change="make the map small first, or pool it with a window of its own size",
        slower="x1.15 to x1.2 on a big map, nothing on a small one",
        find=_means,
    ),
    Flaw(
        key="padding",
        what="pads in a pass of its own",
        change="let the convolution pad with zeros",
        slower="x1.2",
        find=_pads,
    ),
    Flaw(
        key="recurrent",
        what="goes step by step, in float",
        change="use convolutions over time, or average over time before it",
        slower="",
        find=_recurrent,
    ),
    Flaw(
        key="spectrum",
        what="is an operator that ONNX Runtime computes slowly, and inexactly where its size is no "
        "power of two",
        change="earlet adopt writes it out as products; or in PyTorch, strided convolutions with "
        "windowed cosines and sines",
        slower="x3 at 512 samples, x14 to x20 at 320 to 1200 that are no power of two",
        find=_spectra,
    ),
    Flaw(
        key="transpose",
        what="turns the layout of a map in the middle of the network",
        change="keep to operators that take either layout: convolutions, ReLU, additions, max "
        "pooling, concatenation",
        slower="",
        find=_transposes,
    ),
    Flaw(
        key="float-island",
        what="goes back to float between int8 parts",
        change="replace the operator by one that int8 knows, or keep the whole stretch in float "
        "with [export] exclude",
        slower="",
        find=_islands,
    ),
)
