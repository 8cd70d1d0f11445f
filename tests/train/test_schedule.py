import dataclasses

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import (
    CosineAnnealingWarmRestarts,
    ReduceLROnPlateau,
    StepLR,
)

from earlet_train.schedule import learning_rate
from earlet_train.training import Training


def torchs(kind: type, **settings: float) -> tuple[torch.optim.Optimizer, object]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    return optimizer, kind(optimizer, **settings)


def test_the_rate_warms_up_then_falls_to_nothing() -> None:
    training = Training(epochs=10, learning_rate=1.0, schedule="cosine", warmup_epochs=2.0)
    rates = [learning_rate(training, epoch=e / 4) for e in range(41)]
    assert rates[0] < 0.01
    assert max(rates) == pytest.approx(1.0, abs=0.01) == rates[8]
    assert rates[8:] == sorted(rates[8:], reverse=True)
    assert rates[-1] == pytest.approx(0.0, abs=1e-9)
    higher = dataclasses.replace(training, minimum_learning_rate=0.2)
    assert learning_rate(higher, epoch=10) == pytest.approx(0.2)
    constant = dataclasses.replace(training, schedule="constant", warmup_epochs=0.0)
    assert {learning_rate(constant, epoch=e) for e in range(10)} == {1.0}


def test_steps_are_torchs() -> None:
    training = Training(
        epochs=30, learning_rate=0.1, schedule="step", step_epochs=10, step_factor=0.1
    )
    optimizer, scheduler = torchs(StepLR, step_size=10, gamma=0.1)
    for epoch in range(30):
        expected = optimizer.param_groups[0]["lr"]
        assert learning_rate(training, epoch=epoch + 0.5) == pytest.approx(expected)
        optimizer.step()
        scheduler.step()  # type: ignore[attr-defined]


def test_restarts_are_torchs() -> None:
    training = Training(
        epochs=15,
        learning_rate=0.1,
        schedule="cosine-restarts",
        restart_epochs=1.0,
        restart_growth=2,
        minimum_learning_rate=1e-5,
    )
    optimizer, scheduler = torchs(CosineAnnealingWarmRestarts, T_0=1, T_mult=2, eta_min=1e-5)
    optimizer.step()
    for epoch in np.arange(0, 15, 0.25):
        scheduler.step(epoch)  # type: ignore[attr-defined]
        expected = optimizer.param_groups[0]["lr"]
        assert learning_rate(training, epoch=float(epoch)) == pytest.approx(expected)
    # A new round at 0, 1, 3, 7 epochs.
    assert [learning_rate(training, epoch=e) for e in (0, 1, 3, 7)] == [0.1] * 4


def test_a_plateau_is_torchs_and_follows_from_the_history_alone() -> None:
    training = Training(
        epochs=60, learning_rate=0.1, schedule="plateau", plateau_epochs=3, plateau_factor=0.5
    )
    losses = (np.random.default_rng(0).uniform(0.5, 1.0, 60) * np.linspace(1, 0.6, 60)).tolist()
    optimizer, scheduler = torchs(ReduceLROnPlateau, patience=3, factor=0.5, threshold=0.0)
    found = set()
    for epoch, loss in enumerate(losses):
        rate = learning_rate(training, epoch=epoch, dev_losses=losses[:epoch])
        assert rate == pytest.approx(optimizer.param_groups[0]["lr"])
        found.add(round(rate, 9))
        scheduler.step(loss)  # type: ignore[attr-defined]
    assert len(found) > 3
    floor = dataclasses.replace(training, minimum_learning_rate=0.04)
    assert learning_rate(floor, epoch=59, dev_losses=losses) == 0.04


def test_noam_rises_for_its_steps_then_falls_with_their_root() -> None:
    training = Training(epochs=10, schedule="noam", noam_steps=1000, noam_width=64)

    def at(step: int) -> float:
        return learning_rate(training, epoch=(step - 1) / 500, steps=500)

    # The published Res2Net: its peak is 64^-0.5 * 1000^-0.5.
    assert at(1000) == pytest.approx(3.95e-3, rel=1e-3)
    assert at(1) == pytest.approx(at(1000) / 1000)
    assert at(500) == pytest.approx(at(1000) / 2)
    assert at(4000) == pytest.approx(at(1000) / 2)
