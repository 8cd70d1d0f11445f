"""Training with the rounding of int8, held against the int8 that the exporter really makes."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from earlet_export.material import Material, at_three_levels
from earlet_export.quantize import observe, quantize
from earlet_export.run import Runner, one_by_one
from earlet_export.trace import trace
from earlet_train.checkpoint import Checkpoint
from earlet_train.fake_int8 import FakeInt8, Span, rounded_activation, rounded_weight
from earlet_train.network import Network

Array = NDArray[np.float32]


def windows_of(material: Material) -> tuple[Array, NDArray[np.int64]]:
    windows = np.concatenate([heard.windows for heard in material.trials])
    labels = [np.full(len(heard.windows), int(heard.trial.is_spoof)) for heard in material.trials]
    return windows, np.concatenate(labels)


def real_int8(network: Network, windows: Array, calibration: Array) -> Array:
    """Logits of the int8 graph that the exporter makes of this network."""
    traced = trace(network.eval(), window_samples=windows.shape[1])
    frontend = Runner.of(traced.frontend)
    ranges = observe(traced.model, (frontend(clip) for clip in at_three_levels(calibration)))
    int8 = quantize(traced.model, ranges)
    return one_by_one(Runner.of(int8), one_by_one(frontend, windows))


def floats(network: Network, windows: Array) -> Array:
    with torch.no_grad():
        answer: Array = network.eval()(torch.from_numpy(windows)).numpy()
    return answer


def rounding(network: Network, calibration: Array) -> FakeInt8:
    """Hooks whose ranges are those that the exporter would learn."""
    with torch.no_grad():
        heard = [network.features(torch.from_numpy(clip)) for clip in at_three_levels(calibration)]
    fake = FakeInt8(network.model, heard[0])
    fake.learn(lambda: [network.model(features) for features in heard])
    return fake


@pytest.mark.parametrize("kind", ["plain", "residual"])
def test_rounding_in_training_foretells_what_int8_will_say(
    kind: str, checkpoint: Checkpoint, residual: Network, material: Material
) -> None:
    windows, _ = windows_of(material)
    network = checkpoint.network() if kind == "plain" else copy.deepcopy(residual)
    exact = floats(network, windows)
    real = real_int8(network, windows, material.calibration)
    with rounding(network, material.calibration).set_to("round"):
        foretold = floats(network, windows)
    missed, error = np.abs(foretold - real).mean(), np.abs(exact - real).mean()
    assert missed < 0.6 * error


def test_training_on_with_rounding_mends_what_int8_had_broken(
    crushed: Checkpoint, material: Material
) -> None:
    windows, labels = windows_of(material)
    network = crushed.network()

    def surprise(logits: Array) -> float:
        found = nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels))
        return float(found)

    before = surprise(real_int8(network, windows, material.calibration))
    fake = rounding(network, material.calibration)
    optimizer = torch.optim.Adam(network.model.parameters(), lr=1e-3)
    network.train()
    fake.freeze_norms()
    with fake.set_to("round"):
        for _ in range(25):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(
                network(torch.from_numpy(windows)), torch.from_numpy(labels)
            )
            torch.autograd.backward(loss)
            optimizer.step()
    after = surprise(real_int8(network, windows, material.calibration))
    assert before > 0.2, "int8 must have been broken for this to mean anything"
    assert after < 0.5 * before


def test_the_hooks_leave_the_state_and_the_float_answer_alone(
    checkpoint: Checkpoint, material: Material
) -> None:
    windows, _ = windows_of(material)
    network = checkpoint.network()
    names, exact = list(network.state_dict()), floats(network, windows)
    fake = rounding(network, material.calibration)
    assert list(network.state_dict()) == names
    np.testing.assert_array_equal(floats(network, windows), exact)
    with fake.set_to("round"):
        assert np.abs(floats(network, windows) - exact).max() > 0
    np.testing.assert_array_equal(floats(network, windows), exact)
    for name, value in network.state_dict().items():
        assert torch.equal(value, checkpoint.weights[name]), name


def test_the_last_layer_and_excluded_modules_are_not_rounded(checkpoint: Checkpoint) -> None:
    network = checkpoint.network()
    recipe = checkpoint.recipe
    features = network.features(torch.zeros(1, recipe.data.window_samples))
    names = set(FakeInt8(network.model, features).layers)
    assert "output" not in names
    assert "body.0" in names
    fewer = set(FakeInt8(checkpoint.network().model, features, exclude=("body.0",)).layers)
    assert names - fewer == {"body.0"}


def test_weights_round_to_seven_bits_with_a_scale_per_channel() -> None:
    weight = torch.randn(5, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    weight[2] *= 100
    steps = (
        rounded_weight(weight, axis=0)
        / (weight.abs().amax(dim=(1, 2, 3)) / 64)[:, None, None, None]
    )
    assert torch.allclose(steps, steps.round(), atol=1e-3)
    assert int(steps.abs().amax().round()) == 64


def test_activations_round_to_the_span_and_gradients_pass_inside_it() -> None:
    values = torch.tensor([-2.0, -0.5, 0.0, 0.25, 0.9, 3.0], requires_grad=True)
    rounded = rounded_activation(values, Span(low=-1.0, high=1.0))
    found = rounded.detach()
    assert float(found[2]) == 0.0, "silence stays silence"
    assert float((found - values.detach().clamp(-1, 1)).abs().max()) <= 2 / 255
    torch.autograd.backward(rounded.sum())
    assert values.grad is not None
    assert values.grad.tolist() == [0.0, 1.0, 1.0, 1.0, 1.0, 0.0]


def test_a_span_always_holds_zero() -> None:
    span = Span()
    span.widen(torch.tensor([3.0, 5.0]))
    assert dataclasses.astuple(span) == (0.0, 5.0)
