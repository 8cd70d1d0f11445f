import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from earlet_export.speed import Speed, faster_precision, measure

Array = NDArray[np.float32]


def speeds(**ratios: float) -> tuple[Speed, ...]:
    return tuple(
        Speed(candidate=name, p50_ms=1.0, p90_ms=1.0, ratio_to_fp32=ratio)
        for name, ratio in ratios.items()
    )


def test_int8_is_the_default_only_where_it_is_clearly_faster() -> None:
    assert faster_precision(speeds(torch=2.0, fp32=1.0, int8=0.5)) == "int8"
    assert faster_precision(speeds(torch=2.0, fp32=1.0, int8=0.97)) == "fp32"
    assert faster_precision(speeds(torch=2.0, fp32=1.0, int8=1.4)) == "fp32"
    assert faster_precision(speeds(torch=2.0, fp32=1.0)) == "fp32"


def test_work_is_measured_relative_to_fp32_and_threads_are_given_back() -> None:
    # Plain Python: one thread whatever the machine does beside it.
    def once(batch: Array) -> Array:
        assert sum(range(100_000)) > 0
        return batch

    def thrice(batch: Array) -> Array:
        return once(once(once(batch)))

    before = torch.get_num_threads()
    found = measure(
        nn.Identity(),
        {"fp32": once, "int8": thrice},
        np.zeros((1, 10), dtype=np.float32),
        rounds=15,
    )
    assert [speed.candidate for speed in found] == ["torch", "fp32", "int8"]
    assert found[1].ratio_to_fp32 == 1.0
    assert found[2].ratio_to_fp32 == pytest.approx(3.0, rel=0.5)
    assert found[0].ratio_to_fp32 < 1.0
    assert torch.get_num_threads() == before
