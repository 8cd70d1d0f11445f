"""Small real recordings that turn from one tone to another, and the command line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from earlet.bundle import find
from earlet.cli import run
from earlet.detector import Detector
from earlet.segments import LongRecording, Segment, segments_csv

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def calls(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four minutes: two calls that turn from the tone least like spoof to the one most like it."""
    detector = Detector(find(exported))
    rate = detector.manifest.sample_rate_hz
    tones = {hz: sine(hz, 1.0, rate) for hz in range(200, 3900, 100)}
    scores = {hz: detector(tone, rate).score or 0.0 for hz, tone in tones.items()}
    real, made = min(scores, key=scores.__getitem__), max(scores, key=scores.__getitem__)
    assert scores[made] > scores[real]
    folder = tmp_path_factory.mktemp("calls")
    recordings = []
    for number, turns in enumerate((True, False, True, False)):
        name = f"c{number}.flac"
        parts = [sine(real, 30.0, rate), sine(made if turns else real, 30.0, rate)]
        soundfile.write(folder / name, np.concatenate(parts), rate)
        segments = [(0.0, 30.0, "bonafide"), (30.0, 60.0, "spoof" if turns else "bonafide")]
        recordings.append(
            LongRecording(
                name=name,
                path=folder / name,
                segments=tuple(
                    Segment(start_s=a, end_s=b, label=label, speaker=name)
                    for a, b, label in segments
                ),
            )
        )
    (folder / "segments.csv").write_text(segments_csv(recordings))
    return folder


def sine(hz: float, seconds: float, rate: int) -> NDArray[np.float32]:
    n = np.arange(round(seconds * rate))
    return (0.5 * np.sin(2 * np.pi * hz * n / rate)).astype(np.float32)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """(exit code, stdout, stderr) of a command."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
