"""What a detector says about one recording or one window of it."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["ok", "no_signal"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One judgement.

    `score`: calibrated log-odds of the positive label, any real number; above `threshold` the
    `label` is the positive one. `probability`: of the positive label, logistic(score), in 0..1.
    With status `no_signal` (nothing but silence) there is no judgement: label, score and
    probability are None. `start_s`, `end_s`: the part of the recording that was judged, in seconds.
    `model`, `sha256`: which detector file said so: scores of different files do not compare.
    """

    label: str | None
    score: float | None
    probability: float | None
    threshold: float
    status: Status
    start_s: float
    end_s: float
    model: str
    sha256: str

    def as_dict(self) -> dict[str, Any]:
        """Plain dict for JSON; None where there is no judgement, never NaN."""
        return asdict(self)
