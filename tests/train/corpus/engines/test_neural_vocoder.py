from pathlib import Path

import numpy as np
import pytest
import torch

from earlet.errors import CorpusError
from earlet_train.corpus.engines.neural_vocoder import WEIGHTS, load_network
from earlet_train.corpus.engines.train_neural_vocoder import Material, fit, save_weights
from earlet_train.corpus.engines.vocoder_losses import CRITICS, Critic, deception_loss
from earlet_train.corpus.engines.vocoder_losses import spectral_loss as loss_of
from earlet_train.corpus.engines.vocoder_network import HOP_SAMPLES, VocoderNetwork, excitation

RATE_HZ = 16_000


def test_it_draws_as_many_samples_as_it_was_given() -> None:
    network = VocoderNetwork().eval()
    for batch, frames in ((1, 10), (3, 37)):
        x = torch.randn(batch, frames * HOP_SAMPLES)
        assert network(x, torch.randn_like(x)).shape == x.shape


def test_gradient_reaches_the_first_layer_through_loss_and_critic() -> None:
    torch.manual_seed(0)
    network, critic = VocoderNetwork(), Critic(n_fft=CRITICS[0][0], hop=CRITICS[0][1])
    x, e = torch.randn(2, 40 * HOP_SAMPLES), torch.randn(2, 40 * HOP_SAMPLES)
    made = network(x, e)
    loss = loss_of(made, x) + deception_loss(critic(x), critic(made))
    loss.backward()  # type: ignore[no-untyped-call]
    gradient = network.enter.weight.grad
    assert gradient is not None
    assert gradient.abs().sum() > 0


def test_the_loss_of_a_perfect_copy_is_zero() -> None:
    x = torch.randn(1, 8_000)
    assert loss_of(x, x).item() == 0
    assert loss_of(0.5 * x, x).item() > 0.5


def test_voiced_excitation_has_all_harmonics_and_unit_power() -> None:
    e = excitation(np.full(101, 200.0), samples=RATE_HZ, rng=np.random.default_rng(0))
    power = np.abs(np.fft.rfft(e)) ** 2
    harmonics = power[200:7_600:200]
    assert np.std(10 * np.log10(harmonics)) < 1.5
    assert harmonics.sum() * 2 / RATE_HZ**2 == pytest.approx(1.0, abs=0.1)


def test_unvoiced_excitation_is_noise() -> None:
    e = excitation(np.zeros(101), samples=RATE_HZ, rng=np.random.default_rng(0))
    assert np.std(e) == pytest.approx(1.0, abs=0.05)
    assert abs(np.corrcoef(e[1:], e[:-1])[0, 1]) < 0.05


def test_the_shipped_weights_load_and_are_small() -> None:
    assert sum(p.numel() for p in load_network(WEIGHTS).parameters()) == 1_075_365
    assert WEIGHTS.stat().st_size < 2.5e6


def test_missing_weights_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="train_neural_vocoder"):
        load_network(tmp_path / "none.safetensors")


def test_training_lowers_the_loss_and_its_weights_come_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    e = excitation(np.full(601, 150.0), samples=6 * RATE_HZ, rng=rng)
    t = np.arange(6 * RATE_HZ) / RATE_HZ
    speech = 0.05 * np.convolve(e, np.hanning(9), "same") * (1.2 + np.sin(2 * np.pi * 3 * t))
    material = Material(
        speech=torch.from_numpy(speech.astype(np.float32)), excitation=torch.from_numpy(e)
    )
    x, s = material.batch(2, np.random.default_rng(1))
    before = loss_of(VocoderNetwork()(x, s), x).item()
    out = tmp_path / "weights.safetensors"
    network = fit(material, minutes=0.08, batch_size=2, rng=rng, out=out)
    assert loss_of(network(x, s), x).item() < 0.8 * before
    save_weights(network, out)
    again = load_network(out)
    with torch.inference_mode():
        torch.testing.assert_close(again(x, s), network(x, s), atol=0.02, rtol=0.05)
