"""Makes two small labelled corpora out of one of speech, for judging adopted models on real sound.

`speaking`: human recordings, and noise that has their very spectrum but no voice in it (each one's
phases dealt anew, Schreiber's surrogate): a detector of speech must tell them apart by more than
their colour. `degraded`: the same recordings clean, and buried in such noise of another voice at 0
to 10 dB. Splits, speakers and sentences stay as they are, so neither label tells the other.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from earlet.protocol import Trial, read_protocol
from earlet.scoring import read_trial

Wave = NDArray[np.float32]
RATE_HZ = 16_000
SPLITS = ("train", "dev")


def speaking(source: Path, out: Path, *, per_split: int) -> Path:
    """Labels `speech` and `other`; as many of each as there are human recordings, at most."""

    def pair(wave: Wave, other: Wave, rng: np.random.Generator) -> dict[str, Wave]:
        level = np.float32(10 ** (rng.uniform(-10, 0) / 20))
        return {"speech": wave, "other": surrogate(other, rng, samples=len(other)) * level}

    return _write(source, out, pair, per_split=per_split)


def degraded(source: Path, out: Path, *, per_split: int) -> Path:
    """Labels `clean` and `degraded`."""

    def pair(wave: Wave, other: Wave, rng: np.random.Generator) -> dict[str, Wave]:
        noise = surrogate(other, rng, samples=len(wave))
        gain = _rms(wave) / max(_rms(noise), 1e-9) * 10 ** (-rng.uniform(0, 10) / 20)
        return {"clean": wave, "degraded": (wave + np.float32(gain) * noise).astype(np.float32)}

    return _write(source, out, pair, per_split=per_split)


def surrogate(wave: Wave, rng: np.random.Generator, *, samples: int) -> Wave:
    """A waveform -> noise [samples] of the same magnitude spectrum, at the same loudness."""
    looped = np.resize(wave, samples)
    spectrum = np.fft.rfft(looped.astype(np.float64))
    turned = np.abs(spectrum) * np.exp(2j * np.pi * rng.random(len(spectrum)))
    noise = np.fft.irfft(turned, n=samples)
    return (noise * (_rms(looped) / max(_rms(noise), 1e-9))).astype(np.float32)


def _write(
    source: Path,
    out: Path,
    pair: Callable[[Wave, Wave, np.random.Generator], dict[str, Wave]],
    *,
    per_split: int,
) -> Path:
    (out / "flac").mkdir(parents=True)
    for split in SPLITS:
        rng = np.random.default_rng([7, SPLITS.index(split)])
        human = [t for t in read_protocol(source, split) if not t.is_spoof]
        chosen: Sequence[Trial] = [human[i] for i in rng.permutation(len(human))[:per_split]]
        waves = [read_trial(trial, sample_rate_hz=RATE_HZ) for trial in chosen]
        rows = ["file\tpath\tspeaker\tsystem\tkey"]
        for i, trial in enumerate(chosen):
            for key, wave in pair(waves[i], waves[i - 1], rng).items():
                name = f"{trial.file}_{key}"
                peak = max(1.0, float(np.abs(wave).max()))
                soundfile.write(out / "flac" / f"{name}.flac", wave / peak, RATE_HZ)
                rows.append(f"{name}\tflac/{name}.flac\t{trial.speaker}\t-\t{key}")
        (out / f"{split}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (out / "corpus.json").write_text('{"name": "' + out.name + '"}\n', encoding="utf-8")
    return out


def _rms(wave: NDArray[np.floating[Any]]) -> float:
    return float(np.sqrt(np.mean(np.square(wave, dtype=np.float64))))
