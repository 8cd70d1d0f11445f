import numpy as np
import pytest
import torch

from earlet_train.augmentations.mixup import Mixup, MixupSettings

CLIPS = 64


def shares(settings: MixupSettings, *, seed: int) -> torch.Tensor:
    """-> [B], what is left of each clip that is not its own partner."""
    features = torch.eye(CLIPS)[:, :, None, None]
    mixed, _ = Mixup(settings, sample_rate_hz=16_000).mix(
        features, torch.eye(CLIPS), np.random.default_rng(seed)
    )
    own = mixed[:, :, 0, 0].diagonal()
    return own[mixed[:, :, 0, 0].count_nonzero(dim=1) == 2]


def test_one_share_for_the_batch_or_one_per_clip() -> None:
    assert len(set(shares(MixupSettings(), seed=1).tolist())) == 1
    assert len(set(shares(MixupSettings(per="clip"), seed=1).tolist())) > CLIPS // 2


def test_shares_follow_the_beta_distribution() -> None:
    """Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1))."""
    drawn = torch.cat([shares(MixupSettings(per="clip"), seed=seed) for seed in range(40)])
    assert float(drawn.mean()) == pytest.approx(0.5, abs=0.03)
    assert float(drawn.var()) == pytest.approx(1 / (4 * 1.8), abs=0.01)


def test_features_are_mixed_as_their_labels_are() -> None:
    features, targets = torch.randn(8, 1, 5, 6), torch.eye(8)
    mixed, labels = Mixup(MixupSettings(), sample_rate_hz=16_000).mix(
        features, targets, np.random.default_rng(2)
    )
    wanted = torch.einsum("bk,kcfn->bcfn", labels, features)
    torch.testing.assert_close(mixed, wanted)
