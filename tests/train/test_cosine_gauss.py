"""The learnable filterbank: its three forms against the definition, its gradients, its graph."""

import copy

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from oracles.cosine_gauss import oracle
from torch import nn

from earlet_export.macs import layer_macs
from earlet_export.run import Runner
from earlet_export.trace import trace
from earlet_train.frontends.cosine_gauss import CosineGauss, CosineGaussSettings, filterbank
from earlet_train.frontends.frontend import Frontend
from earlet_train.frontends.narrow_energy import NarrowEnergy
from earlet_train.frontends.symmetric_dft import SymmetricDft

RATE_HZ = 16_000
# As sharp as the published one in proportion to its frame, but an eighth of the size.
SMALL = CosineGaussSettings(
    filters=12, taps=89, frame_samples=256, hop_samples=128, beta=4.0, start="linear"
)
FORMS = ["training", "exact", "fast"]


def small(form: str = "fast", settings: CosineGaussSettings = SMALL) -> CosineGauss:
    """A module in the form of training, or in eval mode in one of its forms."""
    changed = {"start": "uniform", "form": "exact" if form == "exact" else "fast"}
    torch.manual_seed(8)
    module = CosineGauss(
        CosineGaussSettings(**{**vars(settings), **changed}), sample_rate_hz=RATE_HZ
    )
    return module if form == "training" else module.eval()


def sound(samples: int = 8_000, batch: int = 1) -> torch.Tensor:
    """Vowel-like: harmonics that fall off and waver, over breath."""
    rng = np.random.default_rng(4)
    t = np.arange(samples) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(140 * (1 + 0.05 * np.sin(2 * np.pi * 5 * t))) / RATE_HZ
    voice = np.sum([np.sin(k * phase) / k for k in range(1, 25)], axis=0)
    clips = 0.1 * voice + 0.02 * rng.standard_normal((batch, samples))
    return torch.from_numpy(clips.astype(np.float32))


def defined(module: CosineGauss, waveform: torch.Tensor) -> NDArray[np.float64]:
    """[B, T] -> the oracle's features [B, 1, F, N]."""
    scalars = module.scalars.detach().double().numpy()
    clips = waveform.double().numpy()
    return np.stack([oracle(clip, module.settings, RATE_HZ, scalars) for clip in clips])


# 1e-4: rounding beside the floor of 0.001. 0.1: see the module's docstring; 5 parts in 1,000 of
# the features' range.
@pytest.mark.parametrize(("form", "error"), [("training", 1e-4), ("exact", 1e-4), ("fast", 0.1)])
@pytest.mark.parametrize("centre", ["reflect", "none"])
def test_each_form_is_the_definition(form: str, error: float, centre: str) -> None:
    module = small(form, CosineGaussSettings(**{**vars(SMALL), "centre": centre}))
    waveform = torch.cat([sound(), torch.zeros(1, 8_000), torch.ones(1, 8_000)])
    features = module(waveform).detach().numpy()
    assert features.shape == (3, 1, 12, 63 if centre == "reflect" else 61)
    np.testing.assert_allclose(features, defined(module, waveform), rtol=0, atol=error)


def test_on_average_the_fast_form_is_a_hundred_times_closer_than_its_bound() -> None:
    error = small("fast")(sound()).numpy() - defined(small(), sound())
    assert np.abs(error).mean() < 1e-3


def test_nothing_is_lost_where_nothing_is_cut() -> None:
    waveform = sound()
    whole = CosineGaussSettings(**{**vars(SMALL), "fast_cut": 1e-14})
    module = small("fast", whole)
    np.testing.assert_allclose(module(waveform).numpy(), defined(module, waveform), atol=1e-4)


@pytest.mark.parametrize("frame", [4, 10])
def test_the_shortest_frames_and_as_many_taps_as_fit_are_right_too(frame: int) -> None:
    tiny = {"frame_samples": frame, "hop_samples": 3, "taps": frame - 1, "filters": 5}
    module = small("fast", CosineGaussSettings(**{**vars(SMALL), **tiny}))
    np.testing.assert_allclose(module(sound()).numpy(), defined(module, sound()), atol=0.01)


@pytest.mark.parametrize("taps", [705, 257])
def test_what_leaks_into_a_filter_is_right_on_average(taps: int) -> None:
    # Noise far from the centres of filters with skirts: all they hold is leakage.
    rng = np.random.default_rng(0)
    spectrum = np.fft.rfft(rng.standard_normal(60_000))
    spectrum[: len(spectrum) // 2] = 0
    waveform = torch.from_numpy(np.fft.irfft(spectrum)).float()[None]
    filters = filterbank(torch.tensor([-3.6, -2.9]).double(), taps=taps, beta=10.0).numpy()
    narrow = NarrowEnergy(filters=filters, window=np.hamming(2048), hop_samples=1024, cut=1e-4)
    frames = waveform[0].double().unfold(0, 2048, 1024).numpy() * np.hamming(2048)
    expected = [[np.mean(np.convolve(f, g, "valid") ** 2) for f in frames] for g in filters]
    ratio = narrow(waveform)[0].numpy().mean(axis=1) / np.mean(expected, axis=1)
    np.testing.assert_allclose(ratio, 1, atol=0.05)


@pytest.mark.parametrize(("frame", "hop"), [(2048, 1024), (744, 372), (96, 48), (1102, 441)])
def test_the_halves_of_the_spectrum_are_numpys_about_the_middle(frame: int, hop: int) -> None:
    window, x = np.hamming(frame), sound(4_000)
    dft = SymmetricDft(window=window, hop_samples=hop)
    assert dft.form == ("folded" if hop == 441 else "factored")
    frames = x[0].double().unfold(0, frame, hop).numpy() * window
    k = np.arange(frame // 2 + 1)
    turned = np.fft.rfft(frames) * np.exp(2j * np.pi * k * (frame - 1) / 2 / frame)
    expected = np.stack([turned.real.T, -turned.imag.T])
    np.testing.assert_allclose(dft(x)[0].numpy(), expected, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("form", FORMS)
def test_a_tone_lights_the_filter_at_its_frequency(form: str) -> None:
    module = small(form)
    centres = torch.sigmoid(module.scalars.detach()).sort().values
    for i in (2, 7, 11):
        tone = torch.sin(torch.pi * float(centres[i]) * torch.arange(8_000))
        assert (module(tone[None])[0, 0, :, 5:-5].argmax(dim=0) - i).abs().max() <= 1


@pytest.mark.parametrize("form", FORMS)
def test_silence_is_the_floor(form: str) -> None:
    features = small(form)(torch.zeros(2, 4_000))
    torch.testing.assert_close(features, torch.full_like(features, np.log(1e-3)))


@pytest.mark.parametrize("form", FORMS)
def test_the_order_of_the_scalars_changes_nothing(form: str) -> None:
    module = small(form)
    turned = copy.deepcopy(module)
    turned.load_state_dict({"scalars": module.scalars.detach().flip(0)})
    assert torch.equal(module(sound()), turned(sound()))


def test_the_gradient_is_the_slope_of_the_definition() -> None:
    module = small("training")
    module(sound()).mean().backward()
    assert module.scalars.grad is not None
    scalars = module.scalars.detach().double().numpy()
    for i in (0, 5, 11):
        step = 1e-4 * np.eye(12)[i]
        up, down = (
            oracle(sound()[0].double().numpy(), module.settings, RATE_HZ, scalars + d).mean()
            for d in (step, -step)
        )
        assert float(module.scalars.grad[i]) == pytest.approx((up - down) / 2e-4, rel=0.01)


def test_frames_made_a_few_at_a_time_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    module = small("training")
    whole = module(sound(batch=2))
    monkeypatch.setattr(CosineGauss, "held_values", 7 * 12 * 256)
    torch.testing.assert_close(module(sound(batch=2)), whole)


def test_eval_mode_follows_what_training_learned() -> None:
    module = small()
    before = module(sound())
    module.train()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    module(sound()).mean().backward()
    optimizer.step()
    after = module.eval()(sound())
    assert (after - before).abs().max() > 0.1
    np.testing.assert_allclose(after.detach().numpy(), defined(module, sound()), atol=0.1)


@pytest.mark.parametrize("loads_in", ["train", "eval"])
def test_loaded_weights_replace_what_was_computed_from_the_old(loads_in: str) -> None:
    trained, fresh = small(), small()
    with torch.no_grad():
        trained.train().scalars.add_(0.3)
    trained.eval()
    fresh.train(loads_in == "train")
    fresh.load_state_dict(trained.state_dict())
    assert torch.equal(fresh.eval()(sound()), trained(sound()))
    assert set(trained.state_dict()) == {"scalars"}


def test_computing_again_for_the_same_scalars_is_spared() -> None:
    module = small()
    ready = module.ready
    assert module.train().eval().ready is ready


@pytest.mark.parametrize("start", ["mel", "linear"])
def test_an_untrained_module_with_a_fixed_start_is_the_oracles(start: str) -> None:
    settings = CosineGaussSettings(**{**vars(SMALL), "start": start, "form": "exact"})
    module = CosineGauss(settings, sample_rate_hz=RATE_HZ).eval()
    expected = oracle(sound()[0].double().numpy(), settings, RATE_HZ)
    np.testing.assert_allclose(module(sound())[0].numpy(), expected, atol=1e-3)


def test_ten_seconds_cost_a_twentieth_of_the_published_form_and_the_graph_holds_only_numbers() -> (
    None
):
    torch.manual_seed(0)
    module = CosineGauss(CosineGaussSettings(), sample_rate_hz=44_100).eval()
    graph = trace(Alone(module).eval(), window_samples=441_000).frontend
    published = 431 * 1344 * 80 * 705
    assert sum(layer_macs(graph).values()) < published / 20  # 1.1 of 32.7 billion
    assert not {n.op_type for n in graph.graph.node} & {"TopK", "Exp", "Cos", "Sigmoid", "Sort"}
    waveform = sound(441_000)
    features = module(waveform)
    assert features.shape == (1, 1, 80, 431)
    np.testing.assert_allclose(Runner.of(graph)(waveform.numpy()), features.numpy(), atol=1e-4)


def test_the_exact_form_exports_with_the_published_number_of_multiplications() -> None:
    module = small("exact")
    graph = trace(Alone(module).eval(), window_samples=8_000).frontend
    assert sum(layer_macs(graph).values()) == 63 * 168 * 12 * 89
    waveform = torch.cat([sound(batch=2), torch.zeros(1, 8_000)])
    np.testing.assert_allclose(
        Runner.of(graph)(waveform.numpy()), module(waveform).numpy(), atol=1e-4
    )


def test_only_without_mirrors_and_peaks_it_can_stream() -> None:
    assert "peak_normalise" in small().why_not_streaming()
    assert "centre" in small().why_not_streaming()
    settings = CosineGaussSettings(peak_normalise=False, centre="none")
    assert CosineGauss(settings, sample_rate_hz=RATE_HZ).why_not_streaming() == ""


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"taps": 704}, "taps must be odd"),
        ({"frame_samples": 743, "taps": 257}, "frame_samples must be even"),
        ({"frame_samples": 512}, "at least taps = 705, found 512"),
        ({"floor": 1e-9}, "floor must be at least 1e-7"),
        ({"fast_cut": 1.0}, "a share below 1"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CosineGaussSettings(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(("centre", "fewest"), [("reflect", 129), ("none", 256)])
def test_a_window_shorter_than_a_frame_is_refused(centre: str, fewest: int) -> None:
    module = small("fast", CosineGaussSettings(**{**vars(SMALL), "centre": centre}))
    assert module(sound(fewest)).shape[-1] >= 1
    with pytest.raises(ValueError, match=f"expected at least {fewest}"):
        module(sound(fewest - 1))


class Alone(nn.Module):
    """The frontend as a network, to be traced."""

    def __init__(self, frontend: Frontend) -> None:
        super().__init__()
        self.frontend, self.model = frontend, nn.Flatten()

    def features(self, waveform: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.frontend(waveform)
        return features


def near(neighbours: int) -> CosineGauss:
    return small(
        "training", CosineGaussSettings(**{**vars(SMALL), "training_neighbours": neighbours})
    )


def test_with_all_bins_as_neighbours_the_near_form_is_the_definition() -> None:
    waveform = torch.cat([sound(), torch.zeros(1, 8_000), torch.ones(1, 8_000)])
    module = near(128)
    np.testing.assert_allclose(
        module(waveform).detach().numpy(), defined(module, waveform), atol=1e-4
    )


def test_sixteen_neighbours_are_close_and_so_are_their_gradients() -> None:
    module, exact = near(16), small("training")
    # Halves of the filters pull in opposite directions, so that no sum hides an error.
    pull = torch.tensor([1.0, -1.0]).repeat(6)[:, None]
    for each in (module, exact):
        (each(sound(batch=2)) * pull).mean().backward()
    error = module(sound()).detach().numpy() - defined(module, sound())
    assert 0 < np.abs(error).mean() < 3e-3
    assert module.scalars.grad is not None
    assert exact.scalars.grad is not None
    torch.testing.assert_close(module.scalars.grad, exact.scalars.grad, rtol=0.05, atol=1e-3)


def test_how_training_computes_changes_nothing_in_eval_mode_or_in_the_checkpoint() -> None:
    quick, exact = near(4).eval(), small("training").eval()
    assert torch.equal(quick(sound()), exact(sound()))
    assert set(quick.state_dict()) == {"scalars"}


def test_filters_that_are_not_learnable_stay_where_they_start() -> None:
    fixed = CosineGauss(
        CosineGaussSettings(**{**vars(SMALL), "learnable": False}), sample_rate_hz=RATE_HZ
    )
    assert not fixed(sound()).requires_grad
    assert not any(weight.requires_grad for weight in fixed.parameters())


@pytest.mark.parametrize("start", ["mel", "linear"])
def test_filters_may_start_in_a_part_of_the_band(start: str) -> None:
    settings = CosineGaussSettings(
        **{**vars(SMALL), "start": start, "low_hz": 60.0, "high_hz": 2_000.0}
    )
    module = CosineGauss(settings, sample_rate_hz=RATE_HZ).eval()
    centres_hz = 8_000 * torch.sigmoid(module.scalars.detach())
    assert 60 < float(centres_hz.min()) < 60 + 2_000 / 13
    assert 1_700 < float(centres_hz.max()) < 2_000
    expected = oracle(sound()[0].double().numpy(), settings, RATE_HZ)
    np.testing.assert_allclose(module(sound())[0].numpy(), expected, atol=0.1)


def test_a_band_for_centres_that_are_drawn_or_beyond_the_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="draws centres over the whole band"):
        CosineGaussSettings(low_hz=60.0)
    settings = CosineGaussSettings(**{**vars(SMALL), "high_hz": 9_000.0})
    with pytest.raises(ValueError, match="do not fit a rate of 16000 Hz"):
        CosineGauss(settings, sample_rate_hz=RATE_HZ)
