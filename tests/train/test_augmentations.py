import dataclasses
import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from earlet_train.augmentations import AUGMENTATIONS
from earlet_train.augmentations.augmentation import Augmentation, Floats

RATE_HZ = 16_000
# Where the defaults leave too much to chance to be seen in 20 draws.
ALWAYS: dict[str, dict[str, Any]] = {
    name: {"probability": 1.0}
    for name, kind in AUGMENTATIONS.items()
    if "probability" in {f.name for f in dataclasses.fields(kind.Settings)}
}


def made(name: str, *, rate_hz: int = RATE_HZ, **keys: Any) -> Augmentation:
    kind = AUGMENTATIONS[name]
    return kind(kind.Settings(**keys), sample_rate_hz=rate_hz)


@pytest.fixture(params=sorted(AUGMENTATIONS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def augmentation(name: str) -> Augmentation:
    return made(name, **ALWAYS.get(name, {}))


def speechlike(amplitude: float = 0.3, samples: int = 8000) -> Floats:
    """Harmonics that waver under an envelope with pauses: every codec and stretcher has work."""
    t = np.arange(samples) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(140 + 20 * np.sin(2 * np.pi * 5 * t)) / RATE_HZ
    wave = sum(np.sin(k * phase) / k for k in range(1, 25)) * np.sin(2 * np.pi * 3 * t) ** 2
    levelled: Floats = (amplitude * wave / np.abs(wave).max()).astype(np.float32)
    return levelled


def square(samples: int = 8000) -> Floats:
    wave: Floats = np.sign(np.sin(np.arange(samples) * 0.13 + 0.1)).astype(np.float32)
    return wave


def a_batch() -> tuple[Tensor, Tensor]:
    made_of = torch.Generator().manual_seed(0)
    return torch.randn(6, 2, 32, 40, generator=made_of), torch.eye(2)[[0, 1, 1, 0, 1, 0]]


def everything(
    augmentation: Augmentation, waveform: Floats, rng: np.random.Generator
) -> tuple[Floats, Tensor, Tensor, Tensor]:
    features, targets = a_batch()
    return (
        augmentation.waveform(waveform, rng),
        augmentation.features(features, rng),
        *augmentation.mix(features, targets, rng),
    )


@pytest.mark.parametrize("waveform", [speechlike(), speechlike(1.0), square(), speechlike(1e-7)])
def test_shape_kind_and_range_stay(augmentation: Augmentation, waveform: Floats) -> None:
    features, targets = a_batch()
    for seed in range(10):
        changed, masked, mixed, labels = everything(
            augmentation, waveform, np.random.default_rng(seed)
        )
        assert (changed.shape, changed.dtype) == (waveform.shape, waveform.dtype)
        assert np.isfinite(changed).all()
        assert float(np.abs(changed).max()) <= 1.0
        for other in (masked, mixed):
            assert (other.shape, other.dtype) == (features.shape, features.dtype)
            assert bool(other.isfinite().all())
        assert (labels.shape, labels.dtype) == (targets.shape, targets.dtype)


def test_the_input_is_not_written_to(augmentation: Augmentation) -> None:
    waveform, (features, targets) = speechlike(0.9), a_batch()
    waveform.flags.writeable = False
    for seed in range(10):
        rng = np.random.default_rng(seed)
        augmentation.waveform(waveform, rng)
        augmentation.features(features, rng)
        augmentation.mix(features, targets, rng)
    for found, before in zip((features, targets), a_batch(), strict=True):
        assert torch.equal(found, before)


def test_the_same_generator_draws_the_same_to_the_bit(name: str) -> None:
    for seed in range(5):
        one, two = (
            everything(
                made(name, **ALWAYS.get(name, {})), speechlike(), np.random.default_rng(seed)
            )
            for _ in range(2)
        )
        assert one[0].tobytes() == two[0].tobytes()
        assert all(torch.equal(a, b) for a, b in zip(one[1:], two[1:], strict=True))


def test_no_generator_but_the_given_one_is_touched(augmentation: Augmentation) -> None:
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002  (the global generator is what must stay as it is)
    torch.manual_seed(1)

    def states() -> str:
        with np.printoptions(threshold=10_000):  # every number of the state, none left out
            numpys = str(np.random.get_state())  # noqa: NPY002
        return str((random.getstate(), numpys, torch.get_rng_state().tolist()))

    before = states()
    for seed in range(5):
        everything(augmentation, speechlike(), np.random.default_rng(seed))
    assert states() == before


def test_threads_that_share_one_augmentation_do_not_disturb_each_other(
    augmentation: Augmentation,
) -> None:
    def heard(seed: int) -> bytes:
        return augmentation.waveform(speechlike(), np.random.default_rng(seed)).tobytes()

    alone = [heard(seed) for seed in range(16)]
    with ThreadPoolExecutor(max_workers=4) as threads:
        assert list(threads.map(heard, range(16))) == alone


def test_a_worker_process_gets_the_same_augmentation(augmentation: Augmentation) -> None:
    sent: Augmentation = pickle.loads(pickle.dumps(augmentation))
    here, there = (
        everything(a, speechlike(), np.random.default_rng(3)) for a in (augmentation, sent)
    )
    assert here[0].tobytes() == there[0].tobytes()
    assert all(torch.equal(a, b) for a, b in zip(here[1:], there[1:], strict=True))


def test_something_changes_sooner_or_later(augmentation: Augmentation) -> None:
    features, rng = a_batch()[0], np.random.default_rng(0)

    def is_changed() -> bool:
        changed, masked, mixed, _ = everything(augmentation, speechlike(), rng)
        return not (
            np.array_equal(changed, speechlike())
            and torch.equal(masked, features)
            and torch.equal(mixed, features)
        )

    assert any(is_changed() for _ in range(20))


@pytest.mark.parametrize("name", sorted(ALWAYS))
def test_probability_zero_changes_nothing(name: str) -> None:
    features, targets = a_batch()
    for seed in range(5):
        found = everything(made(name, probability=0.0), speechlike(), np.random.default_rng(seed))
        np.testing.assert_array_equal(found[0], speechlike())
        for other, before in zip(found[1:], (features, features, targets), strict=True):
            assert torch.equal(other, before)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 44_100])
def test_silence_stays_silence_at_every_rate(name: str, rate_hz: int) -> None:
    augmentation = made(name, rate_hz=rate_hz, **ALWAYS.get(name, {}))
    silence = np.zeros(8000, dtype=np.float32)
    for seed in range(6):
        changed = augmentation.waveform(silence, np.random.default_rng(seed))
        np.testing.assert_array_equal(changed, silence)


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100])
@pytest.mark.parametrize("samples", [1_000, 7_777])
def test_the_length_stays_at_every_rate(name: str, rate_hz: int, samples: int) -> None:
    augmentation = made(name, rate_hz=rate_hz, **ALWAYS.get(name, {}))
    for seed in range(6):
        waveform = speechlike(samples=samples)
        changed = augmentation.waveform(waveform, np.random.default_rng(seed))
        assert changed.shape == waveform.shape
        assert np.isfinite(changed).all()


def test_a_learnable_frontend_still_gets_its_gradient(augmentation: Augmentation) -> None:
    features, targets = a_batch()
    features.requires_grad_()
    rng = np.random.default_rng(0)
    mixed, _ = augmentation.mix(augmentation.features(features * 1.0, rng), targets, rng)
    (mixed * torch.arange(mixed.numel()).reshape(mixed.shape)).sum().backward()  # type: ignore[no-untyped-call]
    assert features.grad is not None
    assert bool(features.grad.isfinite().all())
    assert float((features.grad != 0).float().mean()) > 0.3


def test_a_batch_of_one_is_its_own_partner(augmentation: Augmentation) -> None:
    features, targets = (t[:1] for t in a_batch())
    mixed, labels = augmentation.mix(features, targets, np.random.default_rng(0))
    torch.testing.assert_close(mixed, features)
    assert torch.equal(labels, targets)


@settings(max_examples=40, deadline=None)
@given(
    clips=st.integers(1, 9),
    bins=st.integers(1, 40),
    frames=st.integers(1, 50),
    classes=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
)
@pytest.mark.parametrize("name", sorted(AUGMENTATIONS))
def test_label_mass_is_kept(
    name: str, clips: int, bins: int, frames: int, classes: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    features = torch.from_numpy(rng.standard_normal((clips, 1, bins, frames), dtype=np.float32))
    targets = torch.from_numpy(rng.dirichlet(np.ones(classes), size=clips).astype(np.float32))
    _, mixed = made(name, **ALWAYS.get(name, {})).mix(features, targets, rng)
    assert bool((mixed >= 0).all())
    torch.testing.assert_close(mixed.sum(dim=1), torch.ones(clips))
    # A permutation of partners takes and gives; what a clip keeps plus what it gets is one.
    assert float(mixed.sum()) == pytest.approx(clips, rel=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    clips=st.integers(1, 8),
    bins=st.integers(1, 40),
    frames=st.integers(1, 50),
    seed=st.integers(0, 2**32 - 1),
)
@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("mixup", {}),
        ("mixup", {"per": "clip", "alpha": 1.0}),
        ("random-specmix", {"probability": 0.5}),
        ("random-specmix", {"probability": 1.0, "gamma": 0.7, "most_bands": 4}),
        ("specmix", {}),
        ("specmix", {"gamma": 0.7}),
    ],
)
def test_a_label_is_the_share_that_really_comes_from_its_clip(
    name: str, keys: dict[str, Any], clips: int, bins: int, frames: int, seed: int
) -> None:
    """Clip b is all ones in channel b and its label is b: so where a cell came from can be read."""
    features = torch.eye(clips)[:, :, None, None].expand(-1, -1, bins, frames)
    mixed, labels = made(name, **keys).mix(features, torch.eye(clips), np.random.default_rng(seed))
    torch.testing.assert_close(mixed.mean(dim=(2, 3)), labels, rtol=0, atol=1e-6)
    torch.testing.assert_close(mixed.sum(dim=1), torch.ones(clips, bins, frames))
