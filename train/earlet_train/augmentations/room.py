"""Plays each window in a small room with bare or furnished walls."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earlet_train.augmentations.augmentation import Augmentation, Floats
from earlet_train.augmentations.level import within_full_scale
from earlet_train.ranges import Positive, Rate

SMALLEST_M, LARGEST_M = (2.5, 2.5, 2.2), (8.0, 6.0, 3.5)
FROM_WALL_M = 0.5
# Images of up to 24 reflections: 0.2 to 0.5 s of echo for 6 to 9 ms of computing; all 77 that half
# a second in an ordinary room has would take 240 ms.
REFLECTIONS = 24
LONGEST_S = 0.5


@dataclass(frozen=True, kw_only=True)
class RoomSettings:
    """With `probability`, in a room whose echo takes `low_s` to `high_s` to fall by 60 dB.

    That time is Sabine's estimate: it sets the walls. What is heard comes out at 0.6 to 1.2 times
    it, because the image method with few reflections cuts the tail of live rooms.
    """

    probability: Rate = 0.5
    low_s: Positive = 0.1
    high_s: Positive = 0.4

    def __post_init__(self) -> None:
        if not self.low_s <= self.high_s <= LONGEST_S:
            raise ValueError(
                f"low_s {self.low_s} and high_s {self.high_s} should be in order and at most "
                f"{LONGEST_S}"
            )


class Room(Augmentation):
    """A box from 2.5 x 2.5 x 2.2 to 8 x 6 x 3.5 m, speaker and microphone anywhere in it.

    Simulated by pyroomacoustics (image method, all walls alike). audiomentations' RoomSimulator
    runs the same simulation, but can only draw the room from the process's global generators.
    Loudness stays about the same, direct sound stays where it was, the window's end cuts the tail.
    """

    Settings = RoomSettings

    def __init__(self, settings: RoomSettings, *, sample_rate_hz: int) -> None:
        # A missing package is better found now than in the first batch.
        import pyroomacoustics  # noqa: F401

        super().__init__(settings, sample_rate_hz=sample_rate_hz)

    def waveform(self, waveform: Floats, rng: np.random.Generator) -> Floats:
        """Waveform [T] -> waveform [T]."""
        from scipy.signal import oaconvolve

        s = self.settings
        if rng.random() >= s.probability:
            return waveform
        echo_s = float(rng.uniform(s.low_s, s.high_s))
        response, delay = room_response(echo_s, sample_rate_hz=self.sample_rate_hz, rng=rng)
        heard = oaconvolve(waveform.astype(np.float64), response)[delay : delay + len(waveform)]
        return within_full_scale(heard.astype(np.float32))


def room_response(
    echo_s: float, *, sample_rate_hz: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], int]:
    """-> (impulse response [L] of energy 1, the sample in it where the direct sound arrives).

    `echo_s`: Sabine's reverberation time, T = 24 ln(10) V / (c S a), solved for the absorption a.
    """
    import pyroomacoustics as pra

    # Sums in as many threads as there are cores would differ from machine to machine.
    pra.constants.set("num_threads", 1)
    sound_m_s = pra.constants.get("c")
    size_m = rng.uniform(SMALLEST_M, LARGEST_M)
    speaker_m, microphone_m = rng.uniform(FROM_WALL_M, size_m - FROM_WALL_M, size=(2, 3))
    x, y, z = size_m
    surface_m2 = 2 * (x * y + y * z + z * x)
    absorption = 24 * np.log(10) * x * y * z / (sound_m_s * surface_m2 * echo_s)
    room = pra.ShoeBox(
        size_m,
        fs=sample_rate_hz,
        materials=pra.Material(min(float(absorption), 0.99)),
        max_order=REFLECTIONS,
    )
    room.add_source(speaker_m)
    room.add_microphone(microphone_m)
    room.compute_rir()
    response = np.asarray(room.rir[0][0], np.float64)
    # Each image is a windowed sinc, whose first half comes before the image's arrival.
    before = int(pra.constants.get("frac_delay_length")) // 2
    arrival_s = float(np.linalg.norm(speaker_m - microphone_m)) / sound_m_s
    return response / np.linalg.norm(response), before + round(arrival_s * sample_rate_hz)
