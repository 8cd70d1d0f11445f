import numpy as np
import torchaudio

from earlet_train.lfcc import FILTERS, delta, lfcc, matrices


def test_a_second_gives_99_frames_of_60() -> None:
    noise = np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    assert lfcc(noise, sample_rate_hz=16_000).shape == (99, 60)
    assert lfcc(noise[:100], sample_rate_hz=16_000).shape == (0, 60)


def test_silence_is_finite() -> None:
    assert np.isfinite(lfcc(np.zeros(16_000, dtype=np.float32), sample_rate_hz=16_000)).all()


def test_the_level_moves_only_the_first_coefficient() -> None:
    noise = np.random.default_rng(0).standard_normal(16_000).astype(np.float32) * 0.01
    quiet, loud = (lfcc(noise * gain, sample_rate_hz=16_000) for gain in (1, 10))
    # +20 dB on each of 20 filters through an orthonormal DCT.
    np.testing.assert_allclose(loud[:, 0] - quiet[:, 0], 2 * np.sqrt(FILTERS), atol=1e-3)
    np.testing.assert_allclose(loud[:, 1:], quiet[:, 1:], atol=1e-3)


def test_the_slope_of_a_ramp_is_two_inside_and_one_at_its_ends() -> None:
    ramp = np.arange(6.0)[:, None]
    assert delta(ramp)[:, 0].tolist() == [1, 2, 2, 2, 2, 1]


def test_a_tone_is_strongest_in_its_own_filter() -> None:
    filters, dct = matrices(16_000)
    tone = np.sin(2 * np.pi * 2000 / 16_000 * np.arange(16_000)).astype(np.float32)
    static = lfcc(tone, sample_rate_hz=16_000)[5, :FILTERS]
    energy = static @ dct.T
    # Centres lie 8000 / 21 Hz apart, the first at one such step.
    assert int(energy.argmax()) == round(2000 / (8000 / 21)) - 1
    assert filters.shape == (257, FILTERS)


def test_static_coefficients_follow_torchaudio() -> None:
    """torchaudio's own LFCC on the pre-emphasised signal, its frames as ours."""
    import torch

    noise = np.random.default_rng(1).standard_normal(8000).astype(np.float32)
    emphasised = np.append(noise[:1], noise[1:] - np.float32(0.97) * noise[:-1])
    transform = torchaudio.transforms.LFCC(
        sample_rate=16_000,
        n_filter=FILTERS,
        n_lfcc=FILTERS,
        log_lf=True,
        speckwargs={
            "n_fft": 512,
            "win_length": 320,
            "hop_length": 160,
            "center": False,
            "window_fn": lambda n: torch.hamming_window(n, periodic=False),
        },
    )
    # It centres the short window in 512 samples: frame i begins (512 - 320) / 2 = 96 later.
    theirs = transform(torch.from_numpy(np.pad(emphasised, (96, 96)))).numpy().T
    # Natural log against base 10.
    ours = lfcc(noise, sample_rate_hz=16_000)[:, :FILTERS] * np.log(10)
    np.testing.assert_allclose(ours[1:-1], theirs[1 : len(ours) - 1], rtol=1e-3, atol=1e-2)
