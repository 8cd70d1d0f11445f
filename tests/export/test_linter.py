"""One small graph for every flaw, and one that has none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from earlet.cli import run
from earlet.errors import BundleError
from earlet_export.calibrate import observe
from earlet_export.export import Exported
from earlet_export.flaws import FLAWS
from earlet_export.lint_page import lint_lines, lint_rows, short_lines
from earlet_export.linter import Lint, lint
from earlet_export.quantize import quantize

RECIPE = """
name = "leaky"
version = "1"
description = "A small Spec-ResNet: leaky ReLUs that int8 does not fuse."

[data]
window_samples = 4000
hop_samples = 4000
min_samples = 4000

[frontend]
kind = "spectrogram"
n_fft = 256
hop_samples = 128

[model]
kind = "spec-resnet"
channels = 16
blocks = 3
hidden = 32

[training]
epochs = 1
"""


class Graph:
    """Put together by hand on [B, 16, 24, 24]; ends in max pooling and a layer."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        name = f"model/{kind.lower()}.{len(self.nodes)}"
        node = helper.make_node(kind, inputs, [name], name=name, domain=domain, **attributes)
        self.nodes.append(node)
        return name

    def weight(self, *shape: int) -> str:
        name = f"w{len(self.weights)}"
        values = self.rng.uniform(-0.2, 0.3, shape).astype(np.float32)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def conv(self, x: str, out: int = 16, into: int = 16, size: int = 3, group: int = 1) -> str:
        weights = self.weight(out, into // group, size, size), self.weight(out)
        return self.op("Conv", x, *weights, pads=[size // 2] * 4, group=group)

    def ends(self, x: str, channels: int = 16, *, picture: int = 16) -> onnx.ModelProto:
        pooled = self.op("MaxPool", x, kernel_shape=[12, 12], strides=[12, 12])
        flat = self.op("Flatten", pooled)
        last = self.op("Gemm", flat, self.weight(2, channels * 4), self.weight(2), transB=1)
        graph = helper.make_graph(
            self.nodes,
            "model",
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["B", picture, 24, 24])],
            [helper.make_tensor_value_info(last, TensorProto.FLOAT, ["B", 2])],
            self.weights,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def plain(g: Graph) -> onnx.ModelProto:
    return g.ends(g.op("Relu", g.conv(g.op("Relu", g.conv("features")))))


def one_channel(g: Graph) -> onnx.ModelProto:
    return g.ends(g.op("Relu", g.conv(g.op("Relu", g.conv("features", into=1)))), picture=1)


def leaky(g: Graph) -> onnx.ModelProto:
    return g.ends(g.conv(g.op("LeakyRelu", g.conv("features"), alpha=0.1)))


def thirty_channels(g: Graph) -> onnx.ModelProto:
    return g.ends(g.conv(g.op("Relu", g.conv("features", out=30)), into=30))


def depthwise(g: Graph) -> onnx.ModelProto:
    return g.ends(g.conv(g.op("Relu", g.conv("features", group=16))))


def average(g: Graph) -> onnx.ModelProto:
    x = g.op("AveragePool", g.conv("features"), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    return g.ends(g.op("Relu", g.conv(x)))


def norm_first(g: Graph) -> onnx.ModelProto:
    numbers = [g.weight(16), g.weight(16), g.weight(16)]
    g.weights.append(numpy_helper.from_array(np.ones(16, dtype=np.float32), "variance"))
    x = g.op("Sigmoid", g.conv("features"))
    return g.ends(g.conv(g.op("BatchNormalization", x, *numbers, "variance")))


def instance_norm(g: Graph) -> onnx.ModelProto:
    x = g.op("InstanceNormalization", g.conv("features"), g.weight(16), g.weight(16))
    return g.ends(g.conv(g.op("Relu", x)))


def squeezed(g: Graph) -> onnx.ModelProto:
    g.weights.append(numpy_helper.from_array(np.array([2, 3]), "axes"))
    x = g.conv("features")
    mean = g.op("ReduceMean", x, "axes", keepdims=1)
    return g.ends(g.conv(g.op("Mul", x, mean)))


def reflected(g: Graph) -> onnx.ModelProto:
    g.weights.append(numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1]), "pads"))
    x = g.op("Pad", g.conv("features"), "pads", mode="reflect")
    return g.ends(g.op("Relu", g.op("Conv", x, g.weight(16, 16, 3, 3), g.weight(16))))


def odd_operator(g: Graph) -> onnx.ModelProto:
    return g.ends(g.conv(g.op("Sin", g.conv("features"))))


def turned(g: Graph) -> onnx.ModelProto:
    x = g.conv("features")
    for _ in range(2):
        x = g.conv(g.op("Transpose", x, perm=[0, 1, 3, 2]))
        x = g.op("Sin", x)
    return g.ends(x)


def recurrent(g: Graph) -> onnx.ModelProto:
    g.weights.append(numpy_helper.from_array(np.array([24, -1, 384]), "steps"))
    x = g.op("Reshape", g.op("Transpose", g.conv("features"), perm=[2, 0, 1, 3]), "steps")
    x = g.op("LSTM", x, g.weight(1, 32, 384), g.weight(1, 32, 8), hidden_size=8)
    g.weights.append(numpy_helper.from_array(np.array([-1, 16, 24, 24]), "back"))
    g.weights.append(numpy_helper.from_array(np.ones((24, 1, 1, 48), dtype=np.float32), "wide"))
    x = g.op("Reshape", g.op("Concat", *[x] * 48, axis=3), "back")
    return g.ends(x)


def spectrum_inside(g: Graph) -> onnx.ModelProto:
    x = g.conv("features")
    g.weights.append(numpy_helper.from_array(np.array([-1, 24, 1]), "rows"))
    g.weights.append(numpy_helper.from_array(np.array([-1, 16, 24, 26]), "map"))
    x = g.op("DFT", g.op("Reshape", x, "rows"), axis=1, onesided=1)
    x = g.op("Reshape", x, "map")
    return g.ends(g.conv(g.op("MaxPool", x, kernel_shape=[1, 3])))


def in_int8(model: onnx.ModelProto, *, keep_float: tuple[str, ...] = ()) -> onnx.ModelProto:
    channels = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    noise = np.random.default_rng(1).standard_normal((2, 1, channels, 24, 24)).astype(np.float32)
    return quantize(model, observe(model, iter(noise)), keep_float=keep_float)


def linted(model: onnx.ModelProto) -> Lint:
    return lint(model.SerializeToString())


def test_a_plain_network_has_no_flaw() -> None:
    models = (plain(Graph()), one_channel(Graph()))
    for model in (*models, *map(in_int8, models)):
        found = linted(model)
        assert found.findings == ()
        assert lint_lines(found)[0].startswith("Nothing in it runs slower than it must")
    assert found.int8
    assert not linted(plain(Graph())).int8


@pytest.mark.parametrize(
    ("flaw", "network", "node"),
    [
        ("activation", leaky, "model/leakyrelu.1"),
        ("channels", thirty_channels, "model/conv.0"),
        ("depthwise", depthwise, "model/conv.0"),
        ("average-pool", average, "model/averagepool.1"),
        ("batch-norm", norm_first, "model/batchnormalization.2"),
        ("normalization", instance_norm, "model/instancenormalization.1"),
        ("mean", squeezed, "model/reducemean.1"),
        ("padding", reflected, "model/pad.1"),
        ("float-island", odd_operator, "model/sin.1"),
        ("recurrent", recurrent, "model/lstm.3"),
        ("spectrum", spectrum_inside, "model/dft.2"),
    ],
)
def test_every_flaw_is_found_and_named_in_int8(
    flaw: str, network: Callable[[Graph], onnx.ModelProto], node: str
) -> None:
    found = {f.flaw: f for f in linted(in_int8(network(Graph()))).findings}
    assert flaw in found
    assert node in found[flaw].nodes
    assert 0 <= found[flaw].share < 1
    assert any(f.share > 0 for f in found.values())


def test_a_layer_kept_in_float_is_found_but_the_last_one_may_be() -> None:
    """(Fused with what follows it, a node goes by the last one's name.)"""
    found = {
        f.flaw: f for f in linted(in_int8(plain(Graph()), keep_float=("model/conv.2",))).findings
    }
    assert found["float-layer"].nodes == ("model/relu.3",)


def test_layouts_turned_back_and_forth_are_found() -> None:
    assert "transpose" in {f.flaw for f in linted(turned(Graph())).findings}


def test_what_onnxruntime_fuses_is_not_complained_about() -> None:
    """In float a leaky ReLU becomes part of the convolution before it; in int8 it does not."""
    assert not linted(leaky(Graph())).findings
    assert linted(in_int8(leaky(Graph()))).findings


def test_a_broken_file_is_refused() -> None:
    with pytest.raises(BundleError, match="does not run in onnxruntime"):
        lint(b"\x08\x0a nothing", source="broken.onnx")


def test_the_words_name_nodes_share_and_remedy() -> None:
    found = linted(in_int8(depthwise(Graph())))
    text = " ".join(" ".join(lint_lines(found)).split())
    assert "model/conv.0" in text
    assert "Instead: use full convolutions" in text
    assert "Measured elsewhere" in text
    header, rows = lint_rows(found)
    assert all(len(row) == len(header) for row in rows)
    assert len(short_lines(found)) == len(found.worth_naming())
    assert {f.flaw for f in found.findings} <= {flaw.key for flaw in FLAWS}


def test_a_bundle_and_a_lone_file_are_linted_from_the_command_line(
    exported: Exported, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["lint", str(exported.path), "--json"]) == 0
    graphs = json.loads(capfd.readouterr().out)["graphs"]
    assert set(graphs) == {"fp32.onnx", "int8.onnx"}
    assert graphs["int8.onnx"]["int8"]
    assert 0 < graphs["int8.onnx"]["frontend_share"] < 1
    assert run(["lint", str(exported.path / "int8.onnx")]) == 0
    assert "the frontend takes" in capfd.readouterr().out


def test_a_recipe_is_linted_before_it_is_trained(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "leaky.toml"
    recipe.write_text(RECIPE)
    assert run(["lint", str(recipe), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)["graphs"]["leaky int8"]["findings"]
    assert "activation" in {finding["flaw"] for finding in found}


def test_a_target_that_is_nothing_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["lint", "no-such-recipe"]) == 2
    assert "narrow-cnn" in capfd.readouterr().err
