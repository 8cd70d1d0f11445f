import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from oracles.spectrum import power_of_frames

from earlet_train.frontends.dft import (
    Centre,
    Form,
    PowerDft,
    best_split,
    cheapest_form,
    looks_ahead,
)

# n_fft, window, hop: those of the published systems, then awkward ones.
SIZES = [(512, 512, 160), (2048, 2048, 512), (1728, 1728, 130), (512, 400, 160), (400, 400, 160)]
SIZES += [(512, 320, 160), (1024, 320, 160), (320, 320, 160), (1724, 1724, 130)]
SIZES += [(6, 6, 4), (5, 5, 2), (64, 64, 100), (64, 20, 100), (512, 512, 512), (12, 7, 3)]
SIZES += [(64, 30, 8), (64, 27, 8), (9, 4, 2)]
CENTRES: list[Centre] = ["reflect", "zero", "none", "causal"]


def forms(n_fft: int, window: int, hop: int) -> list[Form]:
    possible: list[Form] = ["matmul"]
    possible += ["folded"] if window % 2 == 0 else []
    possible += ["factored"] if best_split(n_fft, hop) is not None else []
    return possible


CASES = [(*size, form) for size in SIZES for form in forms(*size)]


def noise(samples: int = 5201, batch: int = 2) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.standard_normal((batch, samples)).astype(np.float32) * 0.1)


@pytest.mark.parametrize(("n_fft", "window", "hop", "form"), CASES)
@pytest.mark.parametrize("centre", CENTRES)
def test_each_form_equals_numpy_in_double_precision(
    n_fft: int, window: int, hop: int, form: Form, centre: Centre
) -> None:
    dft = PowerDft(
        n_fft=n_fft,
        window_samples=window,
        hop_samples=hop,
        window="blackman" if n_fft == 1728 else "hamming",
        centre=centre,
        form=form,
    )
    taper = (np.blackman if n_fft == 1728 else np.hamming)(window + 1)[:-1]
    expected = by_definition(noise(), n_fft, hop, taper, centre)
    power = dft(noise()).numpy()
    assert power.shape == expected.shape
    assert power.shape[1:] == (dft.bins, dft.frames(5201))
    # float32 sums of up to 2048 terms: relative to the strongest bin.
    assert np.abs(power - expected).max() / expected.max() < 5e-6


@pytest.mark.parametrize(("n_fft", "window", "hop"), [(512, 400, 160), (1024, 320, 160)])
@pytest.mark.parametrize("centre", ["reflect", "zero"])
def test_a_short_window_lies_where_torch_stft_puts_it(
    n_fft: int, window: int, hop: int, centre: Centre
) -> None:
    spectrum = torch.stft(
        noise().double(),
        n_fft,
        hop,
        win_length=window,
        window=torch.hann_window(window, dtype=torch.float64),
        pad_mode="reflect" if centre == "reflect" else "constant",
        return_complex=True,
    )
    power = PowerDft(n_fft=n_fft, window_samples=window, hop_samples=hop, centre=centre)(noise())
    expected = spectrum.abs().square()
    assert power.shape == expected.shape
    assert float((power - expected).abs().max() / expected.max()) < 2e-6


@pytest.mark.parametrize("form", ["factored", "folded", "matmul"])
@pytest.mark.parametrize("centre", CENTRES)
def test_the_first_bins_alone_are_the_first_of_all(form: Form, centre: Centre) -> None:
    some, every = (
        PowerDft(n_fft=512, hop_samples=160, centre=centre, form=form, bins=bins)(noise())
        for bins in (45, 0)
    )
    torch.testing.assert_close(some, every[:, :45], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("window", "hop"), [(512, 160), (400, 160), (100, 160)])
def test_a_causal_frame_does_not_change_with_what_comes_after_its_hop(
    window: int, hop: int
) -> None:
    dft = PowerDft(n_fft=512, window_samples=window, hop_samples=hop, centre="causal")
    waveform, changed = noise(), noise()
    changed[:, 10 * hop :] = 1.0
    before, after = dft(waveform), dft(changed)
    assert torch.equal(before[..., :10], after[..., :10])
    assert not torch.equal(before[..., 10], after[..., 10])


@pytest.mark.parametrize(("n_fft", "window", "hop"), [(512, 400, 160), (1728, 1728, 130)])
def test_log_power_of_loud_bins_is_right_to_a_thousandth(n_fft: int, window: int, hop: int) -> None:
    expected = by_definition(noise(), n_fft, hop, np.hanning(window + 1)[:-1], "none")
    power = PowerDft(n_fft=n_fft, window_samples=window, hop_samples=hop)(noise()).numpy()
    loud = expected > 1e-4 * expected.max()
    assert np.abs(np.log(power[loud]) - np.log(expected[loud])).max() < 1e-3


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
    assert cheapest_form(1728, 130) == "folded"
    assert cheapest_form(5, 2) == "matmul"
    assert cheapest_form(512, 160, window_samples=400) == "factored"
    # Few bins of a long transform: not worth computing them all.
    assert cheapest_form(2048, 512, bins=45) == "folded"
    # A short window leaves the inner sum little to do: more of the work belongs there.
    assert best_split(2048, 512) == (64, 32)
    assert best_split(2048, 512, window_samples=320) == (128, 16)


def test_a_clip_does_not_depend_on_its_neighbours_in_the_batch() -> None:
    dft = PowerDft(n_fft=512, hop_samples=160)
    waveforms = noise(batch=3)
    alone = torch.cat([dft(w[None]) for w in waveforms])
    torch.testing.assert_close(dft(waveforms), alone, rtol=1e-5, atol=1e-7)


def test_kernels_stay_out_of_the_checkpoint() -> None:
    assert PowerDft(n_fft=512, hop_samples=160).state_dict() == {}


def test_only_frames_that_wait_for_nothing_can_be_streamed() -> None:
    assert [bool(looks_ahead(centre)) for centre in CENTRES] == [True, True, False, True]


def test_a_size_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="only an even window"):
        PowerDft(n_fft=5, hop_samples=2, form="folded")
    with pytest.raises(ValueError, match="no split"):
        PowerDft(n_fft=1723, hop_samples=130, form="factored")
    with pytest.raises(ValueError, match="does not fit n_fft 512"):
        PowerDft(n_fft=512, window_samples=513, hop_samples=160)
    with pytest.raises(ValueError, match="257 bins, found bins = 258"):
        PowerDft(n_fft=512, hop_samples=160, bins=258)


def test_a_waveform_shorter_than_a_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="511 samples are shorter than one frame of 512"):
        PowerDft(n_fft=512, hop_samples=160)(torch.zeros(1, 511))


def by_definition(
    waveforms: torch.Tensor, n_fft: int, hop: int, taper: NDArray[np.float64], centre: Centre
) -> NDArray[np.float64]:
    """[B, T] -> numpy's FFT of each frame, squared: [B, F, N]."""
    return np.stack(
        [
            power_of_frames(w, taper, n_fft=n_fft, hop_samples=hop, centre=centre)
            for w in waveforms.double().numpy()
        ]
    )
