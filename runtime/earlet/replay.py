"""Replays the golden signals on this machine and compares with what the original answered."""

from dataclasses import dataclass

import numpy as np

from earlet.bundle import Bundle
from earlet.errors import BundleError
from earlet.golden import GoldenRecord, digest, signals
from earlet.hearing import Hearing, hear_again
from earlet.scores import scores
from earlet.session import Session
from earlet.windows import Waveform


@dataclass(frozen=True, kw_only=True)
class Replay:
    """How far one graph, on this machine, is from its PyTorch original on the golden signals.

    `max_abs_logit`: the largest |logit - original's|, on `worst_signal`; infinite where a logit is
    not finite. `tolerance`: what the manifest allows. `flips`: signals whose side of the threshold
    differs. `ok`: within tolerance and `finite`. Flips do not count there: a golden signal is no
    sound of the world and may fall on the threshold itself.
    """

    precision: str
    signals: int
    max_abs_logit: float
    worst_signal: str
    flips: int
    tolerance: float
    finite: bool
    ok: bool


def replay(bundle: Bundle, precision: str | None = None, threads: int = 1) -> Replay:
    """Run one graph of a bundle on every golden signal. Raises BundleError, UsageError."""
    precision = bundle.precision(precision)
    session = bundle.session(precision, threads=threads)
    return replay_session(session, bundle, precision=precision, record=bundle.golden())


def replay_features(
    bundle: Bundle, precision: str | None = None, threads: int = 1
) -> Hearing | None:
    """What the model of one graph hears, against what it heard in PyTorch. None: see `hear_again`.

    Raises BundleError, UsageError.
    """
    record = bundle.golden()
    return hear_again(
        bundle,
        bundle.precision(precision),
        record=record,
        waves=_same_signals(bundle, record),
        threads=threads,
    )


def replay_session(
    session: Session, bundle: Bundle, *, precision: str, record: GoldenRecord
) -> Replay:
    """The same on a session that is open already."""
    manifest = bundle.manifest
    if precision not in manifest.golden.tolerances:
        raise BundleError(
            f"{bundle.path}: the manifest gives no tolerance for {precision!r}, so nothing says "
            "how close is close. Export the bundle again."
        )
    tolerance = manifest.golden.tolerances[precision]
    waves = _same_signals(bundle, record)
    logits = np.concatenate([session.logits(wave[None]) for wave in waves.values()])
    if logits.shape != record.logits.shape:
        raise BundleError(
            f"{session.source} answers logits {logits.shape}, its golden record holds "
            f"{record.logits.shape}. Export the bundle again."
        )
    away = np.abs(logits.astype(np.float64) - record.logits.astype(np.float64)).max(axis=1)
    away = np.where(np.isfinite(away), away, np.inf)
    worst = int(np.argmax(away))
    finite = bool(np.isfinite(away).all())
    decided = scores(logits, manifest) >= manifest.threshold
    original = scores(record.logits, manifest) >= manifest.threshold
    return Replay(
        precision=precision,
        signals=len(waves),
        max_abs_logit=float(away[worst]),
        worst_signal=record.names[worst],
        flips=int((decided != original).sum()),
        tolerance=tolerance,
        finite=finite,
        ok=finite and float(away[worst]) <= tolerance,
    )


def _same_signals(bundle: Bundle, record: GoldenRecord) -> dict[str, Waveform]:
    """The signals that the original heard, made again here; BundleError where they are others."""
    manifest = bundle.manifest
    waves = signals(window=manifest.window, sample_rate_hz=manifest.sample_rate_hz)
    if tuple(waves) != record.names or digest(waves) != record.signals_sha256:
        raise BundleError(
            f"{bundle.path}: the golden signals made here are not those its original was asked "
            "about: this earlet makes other ones. Verify with the earlet version that exported "
            f"the bundle ({manifest.provenance.versions.get('earlet', 'not stated')}), or export "
            "it again."
        )
    return waves
