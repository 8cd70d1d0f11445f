"""Detectors that stream exactly, and what their streams say of a sound that is cut anyhow."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from streams.small import RATE_HZ, Shape, speech, write

import earlet
from earlet.detector import Detector
from earlet.stream import Stream
from earlet.verdict import Verdict

Sound = NDArray[np.float32]

# The twin answers as soon as it can, later, and before its window is over; in bytes.
SHAPES = {
    "prompt": Shape(),
    "late": Shape(late=60),
    "early": Shape(late=-60),
    "bytes": Shape(in_bytes=True),
}


def detectors(folder: Path) -> dict[str, Detector]:
    """One of each shape, written into the folder."""
    return {name: earlet.load(write(folder / name, shape)) for name, shape in SHAPES.items()}


def heard(stream: Stream, sound: NDArray[Any], cuts: list[int], rate_hz: int) -> list[Verdict]:
    found = [v for piece in np.split(sound, cuts) for v in stream.accept(piece, rate_hz)]
    return found + stream.finish()


def spoken(seconds: float = 4.0, rate_hz: int = RATE_HZ, seed: int = 0) -> Sound:
    """Speech with a second of silence in its middle: some windows hold nothing."""
    sound = speech(seconds, rate_hz=rate_hz, seed=seed)
    sound[len(sound) // 2 :][:rate_hz] = 0
    return sound
