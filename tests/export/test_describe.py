import json

import pytest
import torch
from torch import Tensor, nn

from earlet.cli import run
from earlet_export.describe import Description, describe
from earlet_export.description_page import page
from earlet_train.frontends.bands import Bands, BandsSettings
from earlet_train.models.narrow_cnn import NarrowCnn
from earlet_train.network import Network
from earlet_train.recipe import load_recipe


@pytest.fixture(scope="module")
def demo() -> Description:
    torch.set_num_threads(1)
    return describe(load_recipe("demo"))


def test_counts_are_those_of_the_network(demo: Description) -> None:
    assert demo.parameters == demo.trainable == 109_682
    assert demo.features == demo.seam == (1, 128, 397)
    assert sum(layer.parameters for layer in demo.layers) == demo.parameters
    assert demo.macs_per_s == pytest.approx(demo.macs / 4)


def test_the_work_is_that_of_the_traced_graphs(demo: Description) -> None:
    """Counted twice: operation by operation in PyTorch, node by node in ONNX."""
    assert demo.exports is not None
    assert demo.exports.model_macs + demo.exports.frontend_macs == demo.macs
    by_part = {"frontend": 0, "model": 0}
    for layer in demo.layers:
        by_part[layer.part] += layer.macs
    assert by_part == {
        "frontend": demo.exports.frontend_macs,
        "model": demo.exports.model_macs,
    }


def test_all_but_frontend_and_last_layer_become_int8(demo: Description) -> None:
    assert demo.exports is not None
    assert demo.exports.float_nodes == {"model/output/Gemm": 128}
    assert demo.exports.int8_macs == demo.exports.model_macs - 128


def test_what_keeps_a_network_from_streaming_is_said_part_by_part(demo: Description) -> None:
    assert demo.streams
    published = describe(load_recipe("spec-resnet"))
    assert set(published.not_streaming) == {"frontend", "model"}
    assert "pads time" in published.not_streaming["model"]
    assert "peak_normalise" in page(published, every_layer=False)


def test_what_fixes_the_length_is_said_part_by_part(demo: Description) -> None:
    assert demo.fixed_length == {}
    assert "earlet export --length any" in page(demo, every_layer=False)
    published = describe(load_recipe("spec-resnet"))
    assert set(published.fixed_length) == {"model"}
    assert "one window alone" in page(published, every_layer=False)


def test_a_recurrent_layer_and_work_outside_of_layers_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Recurrent(NarrowCnn):
        lstm: nn.LSTM

        def embedding(self, features: Tensor) -> Tensor:
            rows = features[:, 0].transpose(1, 2)  # [B, N, F]
            steps, _ = self.lstm(rows)
            products: Tensor = rows.transpose(1, 2) @ steps  # F * N * 8 of its own
            return products.mean(dim=1)

    recipe = load_recipe("demo")
    model = Recurrent(recipe.model.settings, shape=(1, 128, 397), classes=2)
    model.lstm = nn.LSTM(128, 8, batch_first=True)
    model.output = nn.Linear(8, 2)
    network = Network(
        frontend=Bands(BandsSettings(), sample_rate_hz=16_000), adapter=None, model=model
    )
    monkeypatch.setattr("earlet_export.describe.build_network", lambda *_, **__: network)
    found = describe(recipe)
    work = {layer.name: layer.macs for layer in found.layers}
    assert work["model.lstm"] == 397 * 4 * 8 * (128 + 8)
    assert work["model"] == 397 * 128 * 8
    assert found.exports is not None
    assert any("LSTM" in name for name in found.exports.float_nodes)


def test_a_network_that_does_not_export_is_described_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Stubborn(Bands):
        def forward(self, waveform: Tensor) -> Tensor:
            return super().forward(waveform) if float(waveform.sum()) > -1e9 else waveform

    recipe = load_recipe("demo")
    frontend = Stubborn(BandsSettings(), sample_rate_hz=16_000)
    model = NarrowCnn(recipe.model.settings, shape=(1, 128, 397), classes=2)
    network = Network(frontend=frontend, adapter=None, model=model)
    monkeypatch.setattr("earlet_export.describe.build_network", lambda *_, **__: network)
    found = describe(recipe)
    assert found.exports is None
    assert "does not export" in found.not_exported
    assert "does not export" in page(found, every_layer=False)


def test_the_command_prints_a_page_of_100_columns_or_json(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run(["describe", "demo"]) == 0
    printed = capfd.readouterr().out
    assert max(map(len, printed.splitlines())) <= 100
    assert "109,682" in printed
    assert run(["describe", "demo", "--json"]) == 0
    data = json.loads(capfd.readouterr().out)
    assert data["parameters"] == 109_682
    assert data["streams"] is True
