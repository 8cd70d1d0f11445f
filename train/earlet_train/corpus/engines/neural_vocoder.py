"""A16: neural vocoder copy synthesis, our own million weights trained on train-split speech."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from earlet.errors import CorpusError, MissingExtra
from earlet_train.corpus.engine import Method, Request, Spoken
from earlet_train.corpus.engines.one_thread import one_thread
from earlet_train.corpus.pitch import pitch_hz

if TYPE_CHECKING:
    from earlet_train.corpus.engines.vocoder_network import VocoderNetwork

WEIGHTS = Path(__file__).with_name("neural_vocoder.safetensors")


class NeuralVocoder:
    """Mels and pitch -> ConvNeXt -> magnitude and phase -> iSTFT, trained against critics."""

    id = "A16"
    name = "neural vocoder copy synthesis"
    family = "GAN vocoder"
    method: Method = "copy"
    splits: tuple[str, ...] = ("eval",)
    packages: tuple[str, ...] = ()
    share = 1.0

    def languages(self, split: str) -> tuple[str, ...]:
        """None: it copies any speech."""
        return ()

    def synthesize(self, request: Request, store: Path) -> Spoken | None:
        """The source, drawn anew from its mel spectrum and pitch."""
        try:
            import torch

            from earlet_train.corpus.engines.vocoder_network import (
                HOP_SAMPLES,
                SAMPLE_RATE_HZ,
                excitation,
            )
        except ModuleNotFoundError as error:
            raise MissingExtra(module="torch", extra="train") from error

        if request.source is None:
            return None
        length = len(request.source.waveform) // HOP_SAMPLES * HOP_SAMPLES
        x = request.source.waveform[:length]
        f0_hz = pitch_hz(x, hop_s=HOP_SAMPLES / SAMPLE_RATE_HZ)
        source = excitation(f0_hz, samples=length, rng=request.rng)
        with torch.inference_mode(), one_thread():
            made = load_network(WEIGHTS)(torch.from_numpy(x[None]), torch.from_numpy(source[None]))
        return Spoken(
            waveform=made[0].numpy().copy(),
            sample_rate_hz=SAMPLE_RATE_HZ,
            voice=request.source.speaker,
        )


@cache
def load_network(weights: Path) -> "VocoderNetwork":
    """Half-precision weights -> network in eval mode. Raises CorpusError on a missing file."""
    from safetensors.torch import load_file

    from earlet_train.corpus.engines.vocoder_network import VocoderNetwork

    if not weights.is_file():
        raise CorpusError(
            f"there are no vocoder weights at {weights}: they ship with earlet: reinstall it, or "
            "train them with: python -m earlet_train.corpus.engines.train_neural_vocoder"
        )
    network = VocoderNetwork()
    network.load_state_dict({name: value.float() for name, value in load_file(weights).items()})
    return network.eval()
