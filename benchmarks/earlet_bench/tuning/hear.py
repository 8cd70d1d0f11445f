"""Lets a detector listen to long recordings as it would to a microphone, and keeps its verdicts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from earlet.detector import Detector
from earlet.errors import AudioError, CorpusError
from earlet.segments import LongRecording

_PIECE_S = 10
# A sound file may be some samples shorter than its table says.
_TOLERANCE_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Track:
    """One recording and what was said of it: (start_s, end_s, score; None without a signal).

    `lag_s`: how much more sound than up to `end_s` it takes until a verdict is there.
    """

    recording: LongRecording
    duration_s: float
    lag_s: float = 0.0
    verdicts: tuple[tuple[float, float, float | None], ...]


def check_sought(recordings: Sequence[LongRecording], *, positive: str) -> None:
    """Raises CorpusError where nothing is sought, or there is nothing else beside it."""
    labels = sorted({s.label for r in recordings for s in r.segments})
    if positive not in labels or len(labels) == 1:
        raise CorpusError(
            f"the recordings are labelled {', '.join(labels)}; to tell how soon {positive!r} is "
            "found and how often it is seen where there is none, both are needed. Label the "
            f"stretches in segments.csv with {positive!r} and with something else."
        )


def seconds_of(recording: LongRecording) -> float:
    """How long the file is, by its header. Raises CorpusError where its stretches reach beyond."""
    import soundfile

    try:
        found: float = soundfile.info(recording.path).duration
    except (soundfile.LibsndfileError, OSError) as error:
        raise CorpusError(
            f"{recording.path} is not a sound file that can be read: {error}"
        ) from None
    last_s = recording.segments[-1].end_s
    if last_s > found + _TOLERANCE_S:
        raise CorpusError(
            f"{recording.path} is {found:.2f} s long, and segments.csv labels it up to "
            f"{last_s:.2f} s. Correct the table, or copy the file again."
        )
    return found


def hear(
    detector: Detector,
    recording: LongRecording,
    *,
    on_second: Callable[[], None] = lambda: None,
) -> Track:
    """Stream the file through the detector, ten seconds at a time. Raises CorpusError."""
    import soundfile

    duration_s = seconds_of(recording)
    stream, window = detector.stream(), detector.manifest.window
    verdicts = []
    try:
        with soundfile.SoundFile(recording.path) as file:
            rate = file.samplerate
            for piece in file.blocks(_PIECE_S * rate, dtype="float32"):
                verdicts += stream.accept(piece, rate)
                for _ in range(round(len(piece) / rate)):
                    on_second()
        verdicts += stream.finish()
    except (AudioError, soundfile.LibsndfileError) as error:
        raise CorpusError(f"{recording.path} cannot be judged: {error}") from None
    if not verdicts:
        raise CorpusError(
            f"{recording.path} is {duration_s:.2f} s long, too short for a single verdict. "
            "Take it out of segments.csv."
        )
    return Track(
        recording=recording,
        duration_s=duration_s,
        lag_s=stream.warmup_s - window.window_samples / detector.manifest.sample_rate_hz,
        verdicts=tuple(
            (v.start_s, v.end_s, v.score if v.status == "ok" else None) for v in verdicts
        ),
    )
