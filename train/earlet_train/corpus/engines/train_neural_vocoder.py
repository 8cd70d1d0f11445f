"""Trains the weights of A16 on the human recordings of a corpus' train split, nothing else.

    python -m earlet_train.corpus.engines.train_neural_vocoder --corpus DIR --out FILE --minutes 30

The weights that ship were made so on one core, from clean recordings of June, Carlo, the Czech
woman of Fish Fillets and the Tux Paint voices ro ru es bg ca.
"""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from safetensors.torch import save_file
from torch import Tensor

from earlet.protocol import read_protocol
from earlet_train.corpus.engines.vocoder_losses import (
    CRITICS,
    Critic,
    critic_loss,
    deception_loss,
    spectral_loss,
)
from earlet_train.corpus.engines.vocoder_network import (
    HOP_SAMPLES,
    SAMPLE_RATE_HZ,
    VocoderNetwork,
    excitation,
)
from earlet_train.corpus.pitch import pitch_hz

SEGMENT_SAMPLES = 64 * HOP_SAMPLES
PEAK_LEARNING_RATE = 2e-3
CRITIC_LEARNING_RATE = 5e-4
CRITICS_FROM = 0.4  # share of the time after which the critics join: first loud, then lifelike
DECEPTION_WEIGHT = 0.3


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """Recordings and their excitations, end to end: float32 [T] each."""

    speech: Tensor
    excitation: Tensor

    def batch(self, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Size -> segments of speech [size, S] and of excitation [size, S], at random gains."""
        starts = rng.integers(0, len(self.speech) - SEGMENT_SAMPLES, size)
        gains = torch.from_numpy(10 ** (rng.uniform(-9, 6, (size, 1)) / 20)).float()
        speech, source = (
            torch.stack([signal[s : s + SEGMENT_SAMPLES] for s in starts])
            for signal in (self.speech, self.excitation)
        )
        return speech * gains, source


def train(
    corpus: Annotated[Path, typer.Option(help="An earlet corpus.")],
    out: Annotated[Path, typer.Option(help="Where the weights go (.safetensors).")],
    minutes: Annotated[float, typer.Option(help="How long to train.")] = 30.0,
    audio_minutes: Annotated[float, typer.Option(help="How much speech to train on.")] = 60.0,
    batch_size: Annotated[int, typer.Option(help="Segments of 0.64 s per step.")] = 12,
    threads: Annotated[int, typer.Option(help="Processor threads.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of order, noise and initial weights.")] = 1,
) -> None:
    """Train the neural vocoder on train-split bona fide speech."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    started = time.monotonic()
    material = read_material(corpus, audio_minutes=audio_minutes, rng=rng)
    typer.echo(
        f"{len(material.speech) / SAMPLE_RATE_HZ / 60:.0f} min of speech read in "
        f"{time.monotonic() - started:.0f} s",
        err=True,
    )
    network = fit(material, minutes=minutes, batch_size=batch_size, rng=rng, out=out)
    save_weights(network, out)
    typer.echo(f"{out}: {out.stat().st_size / 1e6:.2f} MB", err=True)


def read_material(corpus: Path, *, audio_minutes: float, rng: np.random.Generator) -> Material:
    """Corpus -> up to `audio_minutes` of its train-split bona fide speech in random order."""
    import soundfile

    trials = [t for t in read_protocol(corpus, "train") if not t.is_spoof]
    wanted = audio_minutes * 60 * SAMPLE_RATE_HZ
    speech, sources, total = [], [], 0
    for index in rng.permutation(len(trials)):
        waveform, rate = soundfile.read(trials[index].path, dtype="float32")
        length = len(waveform) // HOP_SAMPLES * HOP_SAMPLES
        if rate != SAMPLE_RATE_HZ or length < 0.3 * SAMPLE_RATE_HZ:
            continue
        f0_hz = pitch_hz(waveform[:length], hop_s=HOP_SAMPLES / SAMPLE_RATE_HZ)
        speech.append(torch.from_numpy(waveform[:length]))
        sources.append(torch.from_numpy(excitation(f0_hz, samples=length, rng=rng)))
        total += length
        if total >= wanted:
            break
    return Material(speech=torch.cat(speech), excitation=torch.cat(sources))


def fit(
    material: Material, *, minutes: float, batch_size: int, rng: np.random.Generator, out: Path
) -> VocoderNetwork:
    """Material -> trained network. Spectral loss first, critics join for the rest of the time.

    One critic of the three, drawn at random, judges each step: a third of the cost.
    """
    network = VocoderNetwork().train()
    critics = torch.nn.ModuleList(Critic(n_fft=n, hop=hop) for n, hop in CRITICS)
    makers = torch.optim.AdamW(network.parameters(), lr=PEAK_LEARNING_RATE, betas=(0.8, 0.99))
    judges = torch.optim.AdamW(critics.parameters(), lr=CRITIC_LEARNING_RATE, betas=(0.8, 0.99))
    started, step = time.monotonic(), 0
    smooth = float("nan")
    while (done := (time.monotonic() - started) / (60 * minutes)) < 1:
        makers.param_groups[0]["lr"] = PEAK_LEARNING_RATE * _pace(done, step)
        real, source = material.batch(batch_size, rng)
        made = network(real, source)
        loss = spectral = spectral_loss(made, real)
        if done > CRITICS_FROM:
            critic = critics[int(rng.integers(len(critics)))]
            judged = critic_loss(critic(real), critic(made.detach()))
            judges.zero_grad()
            judged.backward()  # type: ignore[no-untyped-call]
            judges.step()
            critic.requires_grad_(False)
            loss = loss + DECEPTION_WEIGHT * deception_loss(critic(real), critic(made))
            critic.requires_grad_(True)
        makers.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        makers.step()
        smooth = spectral.item() if step == 0 else 0.98 * smooth + 0.02 * spectral.item()
        step += 1
        if step % 200 == 0:
            typer.echo(f"{done:6.1%}  step {step}  spectral {smooth:.3f}", err=True)
            save_weights(network, out)
    return network.eval()


def save_weights(network: VocoderNetwork, out: Path) -> None:
    """Network -> half-precision safetensors, written beside and renamed."""
    beside = out.with_suffix(".partial")
    save_file({k: v.half().contiguous() for k, v in network.state_dict().items()}, beside)
    beside.replace(out)


def _pace(done: float, step: int) -> float:
    """Share of time done, step -> learning rate factor: 100 steps up, then a cosine down to 5 %."""
    return min(1.0, (step + 1) / 100) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))


if __name__ == "__main__":
    typer.run(train)
