"""Signals that every machine can make again bit for bit, and what the original said about them.

A bundle carries the answers of its PyTorch original, not the audio: the audio is computed here, by
exact integer arithmetic (no sine, no floating point, no random generator of a library), so a board
without torch can replay it and compare.
"""

import hashlib
import io
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earlet.errors import BundleError
from earlet.manifest import WindowPolicy
from earlet.windows import Waveform, fit

Integers = NDArray[np.int64]

FULL_SCALE = 32767


def signals(*, window: WindowPolicy, sample_rate_hz: int) -> dict[str, Waveform]:
    """Name -> waveform [window_samples], int16 / 32768, so float32 holds each sample exactly.

    They walk through what breaks exports: silence, full scale, one-bit levels, every frequency,
    clicks, steps, noise at four levels, voices, and clips shorter than the window, which pass
    through the window policy (left out where it rejects them).
    """
    T = window.window_samples
    voice = _voice(T, pitch_hz=110, sample_rate_hz=sample_rate_hz, seed=7)
    made = {
        "silence": np.zeros(T, dtype=np.int64),
        "square at full scale": _square(T, hz=1000, sample_rate_hz=sample_rate_hz),
        "square sweep up": _sign(_sweep(T, 50, sample_rate_hz // 2, sample_rate_hz)) * 8192,
        "triangle sweep down": _triangle(_sweep(T, sample_rate_hz // 2, 50, sample_rate_hz)) // 2,
        "steps": _steps(T),
        "one click": _clicks(T, every=T, first=T // 3),
        "click train": _clicks(T, every=max(1, sample_rate_hz // 50), first=0),
        "noise at full scale": _noise(T, seed=1),
        "noise at -20 dB": _noise(T, seed=2) // 10,
        "noise at -40 dB": _noise(T, seed=3) // 100,
        "noise of one bit": _noise(T, seed=4) // 32768,
        "low voice": voice,
        "high voice, breathy": _voice(T, pitch_hz=220, sample_rate_hz=sample_rate_hz, seed=8)
        + _noise(T, seed=5) // 32,
        "low voice at -36 dB": voice // 64,
        "voice after silence": np.where(np.arange(T) < T // 2, 0, voice),
    }
    waves = {name: _as_float(wave) for name, wave in made.items()}
    if window.short != "reject":
        shortest = _as_float(voice[: window.min_samples])
        waves["shortest clip allowed"] = fit(shortest, window)
        odd = min(T, max(window.min_samples, 2 * T // 3 | 1))
        waves["clip of odd length"] = fit(_as_float(_noise(odd, seed=6) // 4), window)
    return waves


def digest(waves: Mapping[str, Waveform]) -> str:
    """SHA-256 over names and samples, in order: whether two machines made the same signals."""
    sha = hashlib.sha256()
    for name, wave in waves.items():
        sha.update(f"{name}\n{len(wave)}\n".encode())
        sha.update(wave.astype("<f4").tobytes())
    return sha.hexdigest()


@dataclass(frozen=True, kw_only=True, eq=False)
class GoldenRecord:
    """What the PyTorch original answered.

    names [S]; logits float32 [S, K]; feature_summary float32 [S, 2]: mean and standard deviation
    of the features that entered the model; signals_sha256: `digest` of the signals it heard.
    """

    names: tuple[str, ...]
    logits: NDArray[np.float32]
    feature_summary: NDArray[np.float32]
    signals_sha256: str

    def __post_init__(self) -> None:
        S = len(self.names)
        if self.logits.ndim != 2 or len(self.logits) != S:
            raise ValueError(f"logits should be [{S}, K], found {self.logits.shape}")
        if self.feature_summary.shape != (S, 2):
            raise ValueError(
                f"feature_summary should be [{S}, 2], found {self.feature_summary.shape}"
            )

    def to_bytes(self) -> bytes:
        """An npz file without pickle; equal records give equal bytes."""
        arrays = {
            "names": np.array(self.names, dtype=np.str_),
            "logits": self.logits.astype("<f4"),
            "feature_summary": self.feature_summary.astype("<f4"),
            "signals_sha256": np.array(self.signals_sha256, dtype=np.str_),
        }
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for name, array in arrays.items():
                # np.savez stamps each member with the time of day; a fixed one keeps bytes equal.
                member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
                with archive.open(member, "w") as file:
                    np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=False)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, *, source: str) -> "GoldenRecord":
        """Read what `to_bytes` wrote; `source` names the file in errors. Raises BundleError."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                return cls(
                    names=tuple(str(name) for name in archive["names"]),
                    logits=archive["logits"].astype(np.float32),
                    feature_summary=archive["feature_summary"].astype(np.float32),
                    signals_sha256=str(archive["signals_sha256"]),
                )
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise BundleError(
                f"{source} does not hold golden answers ({error}). "
                "The bundle is damaged: export or copy it again."
            ) from None

    def save(self, path: Path) -> None:
        """Write `to_bytes` to `path`, complete or not at all."""
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            beside.write_bytes(self.to_bytes())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> "GoldenRecord":
        """Read what `save` wrote. Raises BundleError."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise BundleError(f"{path} cannot be read: {error.strerror or error}.") from None
        return cls.from_bytes(data, source=str(path))


def _as_float(wave: Integers) -> Waveform:
    """Integers -> float32 in [-1, 1), exact: int16 has 16 bits and float32 holds 24."""
    limited = np.clip(wave, -FULL_SCALE, FULL_SCALE)
    return (limited.astype(np.float32) / np.float32(32768)).astype(np.float32)


def _noise(T: int, *, seed: int) -> Integers:
    """White noise over the whole int16 range: the top 16 bits of x <- a x mod 2^64.

    The powers of a are one cumulative product, which numpy wraps at 2^64 exactly. a is Steele and
    Vigna's multiplier for this form (2021); x0 is odd, so the period is 2^62.
    """
    powers = np.cumprod(np.full(T + 8, 0xD1342543DE82EF95, dtype=np.uint64))
    start = np.uint64((seed * 0x9E3779B97F4A7C15 | 1) & 0xFFFFFFFFFFFFFFFF)
    states = powers[8:] * start
    return (states >> np.uint64(48)).astype(np.int64) - 32768


def _sweep(T: int, from_hz: int, to_hz: int, sample_rate_hz: int) -> Integers:
    """Phase of a linear sweep, in 0..65535 per turn."""
    n = np.arange(T, dtype=np.int64)
    hz = from_hz + (to_hz - from_hz) * n // T
    return np.cumsum(hz * 65536 // sample_rate_hz) % 65536


def _sign(phase: Integers) -> Integers:
    return np.where(phase < 32768, 1, -1)


def _triangle(phase: Integers) -> Integers:
    wave: Integers = np.abs(2 * phase - 65536) - 32768
    return wave


def _square(T: int, *, hz: int, sample_rate_hz: int) -> Integers:
    n = np.arange(T, dtype=np.int64)
    return np.where(2 * hz * n // sample_rate_hz % 2 == 0, FULL_SCALE, -FULL_SCALE)


def _steps(T: int) -> Integers:
    """Sixteen stairs, each twice as high as the one before, of alternating sign."""
    stair = np.arange(T, dtype=np.int64) * 16 // T
    wave: Integers = np.where(stair % 2 == 0, 1, -1) * np.minimum(1 << stair, FULL_SCALE)
    return wave


def _clicks(T: int, *, every: int, first: int) -> Integers:
    """Single samples of alternating sign at half of full scale."""
    wave = np.zeros(T, dtype=np.int64)
    at = np.arange(first, T, every)
    wave[at] = np.where(np.arange(len(at)) % 2 == 0, 16384, -16384)
    return wave


# Formants near 700, 1200 and 2600 Hz at 16 kHz (they scale with the rate), as the two coefficients
# of y[n] = x[n] + (b1 y[n-1] - b2 y[n-2]) / 2^14: b1 = 2 r cos(2 pi F / 16000), b2 = r^2 with
# r = exp(-pi B / 16000) and bandwidths B of 90, 110 and 160 Hz, rounded once and for all.
_FORMANTS = ((30985, 15815), (28573, 15691), (16592, 15386))
_RESPONSE_SAMPLES = 640


def _voice(T: int, *, pitch_hz: int, sample_rate_hz: int, seed: int) -> Integers:
    """A pulse train with uneven periods through three resonators: a vowel, roughly."""
    response = _formant_response()
    wave = np.zeros(T + _RESPONSE_SAMPLES, dtype=np.int64)
    period = max(2, sample_rate_hz // pitch_hz)
    wobble = _noise(T // (period - period // 16) + 2, seed=seed)
    at, pulse = 0, 0
    while at < T:
        wave[at : at + _RESPONSE_SAMPLES] += response
        at += period + int(wobble[pulse]) * (period // 16) // 32768
        pulse += 1
    return wave[:T]


def _formant_response() -> Integers:
    """Impulse response [640] of the resonators in a row, scaled to a peak of a quarter of full."""
    wave = [1 << 20] + [0] * (_RESPONSE_SAMPLES - 1)
    for b1, b2 in _FORMANTS:
        last, before = 0, 0
        filtered = []
        for x in wave:
            y = x + ((b1 * last - b2 * before) >> 14)
            filtered.append(y)
            last, before = y, last
        wave = filtered
    peak = max(abs(y) for y in wave)
    return np.array([y * 8192 // peak for y in wave], dtype=np.int64)
