"""A fresh process is what is measured, not this one."""

from pathlib import Path

import numpy as np
import pytest

from earlet.errors import EarletError
from earlet_bench.cold_start import cold_start


def test_the_phases_of_a_fresh_process_are_part_of_its_whole(bundle: Path) -> None:
    found = cold_start(bundle, precision="int8", processes=1)
    assert min(found.import_ms, found.load_ms, found.first_ms) > 0
    assert found.import_ms + found.load_ms + found.first_ms < found.total_ms


def test_the_memory_of_this_process_is_not_counted_to_the_fresh_one(bundle: Path) -> None:
    ballast = np.ones(75_000_000)  # 600 MB: more than any detector here needs
    found = cold_start(bundle, precision="fp32", processes=1)
    assert 20_000_000 < found.peak_rss_bytes < ballast.nbytes / 2


def test_a_process_that_dies_says_why(tmp_path: Path) -> None:
    with pytest.raises(EarletError, match="no bundle"):
        cold_start(tmp_path / "nothing", precision="int8", processes=1)
