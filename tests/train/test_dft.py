import numpy as np
import pytest
import torch

from earlet_train.frontends.dft import (
    Centre,
    Form,
    PowerDft,
    Window,
    best_split,
    cheapest_form,
    window_function,
)

SIZES = [(512, 160), (512, 128), (2048, 512), (400, 160), (320, 160), (1724, 130), (6, 4), (5, 2)]
SIZES += [(64, 100), (512, 512)]
TORCH_WINDOWS = {
    "hann": torch.hann_window,
    "hamming": torch.hamming_window,
    "blackman": torch.blackman_window,
}


def noise(samples: int = 9001, batch: int = 2) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.standard_normal((batch, samples)).astype(np.float32) * 0.1)


FORMS: list[tuple[int, int, Form]] = [(*size, "matmul") for size in SIZES]
FORMS += [(*size, "folded") for size in SIZES if size[0] % 2 == 0]
FORMS += [(*size, "factored") for size in SIZES if best_split(*size) is not None]


@pytest.mark.parametrize(("n_fft", "hop", "form"), FORMS)
@pytest.mark.parametrize("centre", ["reflect", "zero", "none"])
def test_each_form_equals_torch_stft_in_double_precision(
    n_fft: int, hop: int, centre: Centre, form: Form
) -> None:
    dft, waveform = PowerDft(n_fft=n_fft, hop_samples=hop, centre=centre, form=form), noise()
    expected = reference(waveform, n_fft, hop, "hann", centre)
    power = dft(waveform)
    assert power.shape == expected.shape
    assert power.shape[1:] == (dft.bins, dft.frames(waveform.shape[1]))
    # float32 sums of n_fft terms: relative to the strongest bin.
    assert float((power - expected).abs().max() / expected.max()) < 2e-6


@pytest.mark.parametrize("window", ["hann", "hamming", "blackman"])
def test_each_window_equals_torch_stft(window: Window) -> None:
    expected = reference(noise(), 512, 160, window, "none")
    power = PowerDft(n_fft=512, hop_samples=160, window=window)(noise())
    assert float((power - expected).abs().max() / expected.max()) < 2e-6


@pytest.mark.parametrize(("n_fft", "hop"), [(512, 160), (400, 160), (1724, 130)])
def test_log_power_of_loud_bins_is_right_to_a_thousandth(n_fft: int, hop: int) -> None:
    expected = reference(noise(), n_fft, hop, "hann", "none")
    power = PowerDft(n_fft=n_fft, hop_samples=hop)(noise())
    loud = expected > 1e-4 * expected.max()
    assert float((power[loud].log() - expected[loud].log()).abs().max()) < 1e-3


@pytest.mark.parametrize(("n_fft", "hop"), [(512, 160), (400, 160), (1724, 130)])
def test_a_tone_lights_its_own_bin(n_fft: int, hop: int) -> None:
    bins = n_fft // 2 + 1
    # Not the outermost: there a tone meets its own mirror image.
    for k in (2, bins // 3, bins // 2, bins - 3):
        tone = torch.cos(2 * torch.pi * k / n_fft * torch.arange(6000.0, dtype=torch.float64))
        power = PowerDft(n_fft=n_fft, hop_samples=hop)(tone.float()[None])
        assert (power.argmax(dim=1) == k).all()


def test_the_form_is_the_cheapest_that_fits() -> None:
    assert cheapest_form(512, 160) == "factored"
    assert best_split(512, 160) == (32, 16)
    assert cheapest_form(2048, 512) == "factored"
    assert cheapest_form(1724, 130) == "folded"
    assert cheapest_form(5, 2) == "matmul"


def test_a_clip_does_not_depend_on_its_neighbours_in_the_batch() -> None:
    dft = PowerDft(n_fft=512, hop_samples=160)
    waveforms = noise(batch=3)
    alone = torch.cat([dft(w[None]) for w in waveforms])
    torch.testing.assert_close(dft(waveforms), alone, rtol=1e-5, atol=1e-7)


def test_kernels_stay_out_of_the_checkpoint() -> None:
    assert PowerDft(n_fft=512, hop_samples=160).state_dict() == {}


def test_a_size_that_does_not_fold_is_refused() -> None:
    with pytest.raises(ValueError, match="only an even n_fft"):
        PowerDft(n_fft=5, hop_samples=2, form="folded")
    with pytest.raises(ValueError, match="no split"):
        PowerDft(n_fft=1723, hop_samples=130, form="factored")


def test_windows_are_periodic() -> None:
    for name, reference_window in TORCH_WINDOWS.items():
        expected = reference_window(16, periodic=True, dtype=torch.float64).numpy()
        np.testing.assert_allclose(window_function(name, 16), expected, atol=1e-12)  # type: ignore[arg-type]


def reference(
    waveform: torch.Tensor, n_fft: int, hop: int, window: Window, centre: Centre
) -> torch.Tensor:
    """torch.stft in float64, squared."""
    spectrum = torch.stft(
        waveform.double(),
        n_fft,
        hop,
        window=TORCH_WINDOWS[window](n_fft, dtype=torch.float64),
        center=centre != "none",
        pad_mode="reflect" if centre == "reflect" else "constant",
        return_complex=True,
    )
    return spectrum.abs().square()
