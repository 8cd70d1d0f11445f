"""The tandem detection cost (t-DCF): what a detector is worth to the speaker verifier behind it.

Two definitions are in use, of the challenges of 2019 (legacy) and of 2021 (revised). They weigh the
errors in another way and have another zero: THE TWO ARE NOT COMPARABLE, not even for one system.

Sources: Kinnunen et al., Odyssey 2018, and the ASVspoof 2019 evaluation plan (legacy); Kinnunen et
al., IEEE/ACM TASLP 28 (2020), eqs. 10-11, and the ASVspoof 2021 evaluation plan (revised).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earlet.errors import UsageError
from earlet_bench.evaluation.curve import Curve, two_sets

Floats = NDArray[np.float64]

NOT_COMPARABLE = "t-DCF 2019 (legacy) and t-DCF 2021 (revised) are not comparable with each other."


@dataclass(frozen=True, kw_only=True)
class Priors:
    """How often each kind of caller comes; both challenges assumed the same."""

    spoof: float = 0.05
    target: float = 0.95 * 0.99
    nontarget: float = 0.95 * 0.01


@dataclass(frozen=True, kw_only=True)
class LegacyCosts:
    """What each error costs in 2019; `cm` is the countermeasure, our detector."""

    miss_asv: float = 1.0
    false_alarm_asv: float = 10.0
    miss_cm: float = 1.0
    false_alarm_cm: float = 10.0


@dataclass(frozen=True, kw_only=True)
class RevisedCosts:
    """What each error of the tandem costs in 2021."""

    miss: float = 1.0
    false_alarm: float = 10.0
    false_alarm_spoof: float = 10.0


PRIORS, LEGACY, REVISED = Priors(), LegacyCosts(), RevisedCosts()


@dataclass(frozen=True, kw_only=True)
class AsvRates:
    """Error rates of the speaker verifier at its own equal-error threshold, in 0..1.

    `false_alarm_spoof`: spoofed trials that it accepts.
    """

    miss: float
    false_alarm: float
    false_alarm_spoof: float


@dataclass(frozen=True, kw_only=True)
class Coefficients:
    """t-DCF(threshold) = c0 + c1 * miss + c2 * false alarm, before it is normalized."""

    c0: float
    c1: float
    c2: float

    def __post_init__(self) -> None:
        found = np.array([self.c0, self.c1, self.c2])
        if not np.isfinite(found).all() or (found < 0).any() or self.c0 + min(found[1:]) <= 0:
            raise UsageError(
                f"a t-DCF cannot be made of C0 {self.c0:g}, C1 {self.c1:g}, C2 {self.c2:g}: the "
                "weights must not be negative, and a detector must be of some use to the verifier. "
                "Check the speaker verifier's scores."
            )

    @property
    def default(self) -> float:
        """The cost of the better of two useless detectors: accept all, or reject all."""
        return self.c0 + min(self.c1, self.c2)

    @property
    def floor(self) -> float:
        """The normalized t-DCF of a faultless detector: what the verifier's own errors cost."""
        return self.c0 / self.default


def asv_rates(target: Floats, nontarget: Floats, spoof: Floats) -> AsvRates:
    """Scores of a speaker verifier, higher = accept -> its rates. Raises UsageError.

    The threshold is where targets against nontargets have their equal error rate.
    """
    if min(len(target), len(nontarget), len(spoof)) == 0:
        raise UsageError(
            f"the speaker verifier's scores hold {len(target)} target, {len(nontarget)} nontarget "
            f"and {len(spoof)} spoofed trials; a t-DCF needs all three."
        )
    threshold = two_sets(target, nontarget).curve().eer_threshold
    return AsvRates(
        miss=float(np.mean(target < threshold)),
        false_alarm=float(np.mean(nontarget >= threshold)),
        false_alarm_spoof=float(np.mean(spoof >= threshold)),
    )


def legacy_coefficients(
    rates: AsvRates, *, costs: LegacyCosts = LEGACY, priors: Priors = PRIORS
) -> Coefficients:
    """2019: c0 is 0, and a faultless detector reaches 0 whatever the verifier does."""
    c1 = priors.target * (costs.miss_cm - costs.miss_asv * rates.miss)
    return Coefficients(
        c0=0.0,
        c1=c1 - priors.nontarget * costs.false_alarm_asv * rates.false_alarm,
        c2=costs.false_alarm_cm * priors.spoof * rates.false_alarm_spoof,
    )


def revised_coefficients(
    rates: AsvRates, *, costs: RevisedCosts = REVISED, priors: Priors = PRIORS
) -> Coefficients:
    """2021: c0 holds the verifier's own errors, so that the floor is above 0."""
    c0 = (
        priors.target * costs.miss * rates.miss
        + priors.nontarget * costs.false_alarm * rates.false_alarm
    )
    return Coefficients(
        c0=c0,
        c1=priors.target * costs.miss - c0,
        c2=priors.spoof * costs.false_alarm_spoof * rates.false_alarm_spoof,
    )


def min_t_dcf(curve: Curve, coefficients: Coefficients) -> float:
    """The lowest normalized cost over all thresholds; 1 where the detector is of no use."""
    cost = coefficients.c0 + coefficients.c1 * curve.miss + coefficients.c2 * curve.false_alarm
    return float(cost.min() / coefficients.default)
