import numpy as np
import pytest
import scipy.signal

from earlet_train.frontends.windows import Window, window_function


@pytest.mark.parametrize("name", ["hann", "hamming", "blackman"])
@pytest.mark.parametrize("n", [16, 401])
def test_windows_are_those_of_scipy(name: Window, n: int) -> None:
    for sampling, periodic in (("periodic", True), ("symmetric", False)):
        expected = scipy.signal.get_window(name, n, fftbins=periodic)
        np.testing.assert_allclose(
            window_function(name, n, sampling=sampling),  # type: ignore[arg-type]
            expected,
            atol=1e-12,
        )


def test_the_rectangular_window_is_one() -> None:
    assert window_function("rectangular", 5).tolist() == [1.0] * 5


def test_the_povey_window_is_between_hann_and_rectangular_and_ends_at_zero() -> None:
    povey = window_function("povey", 400, sampling="symmetric")
    np.testing.assert_allclose(povey, np.hanning(400) ** 0.85, atol=1e-12)
    assert povey[0] == povey[-1] == 0
