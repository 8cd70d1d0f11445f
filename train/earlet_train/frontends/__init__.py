"""How sound becomes a picture: one file and one line here per frontend."""

from earlet_train.frontends.bands import Bands
from earlet_train.frontends.cosine_gauss import CosineGauss
from earlet_train.frontends.cqcc import Cqcc
from earlet_train.frontends.frontend import Frontend
from earlet_train.frontends.lfcc import Lfcc
from earlet_train.frontends.log_mel import LogMel
from earlet_train.frontends.log_power import LogPower
from earlet_train.frontends.mfcc import Mfcc
from earlet_train.frontends.sinc import Sinc
from earlet_train.frontends.spectrogram import Spectrogram
from earlet_train.frontends.spectrogram_image import SpectrogramImage
from earlet_train.frontends.waveform_image import WaveformImage

FRONTENDS: dict[str, type[Frontend]] = {
    "bands": Bands,
    "cosine-gauss": CosineGauss,
    "cqcc": Cqcc,
    "lfcc": Lfcc,
    "log-mel": LogMel,
    "log-power": LogPower,
    "mfcc": Mfcc,
    "sinc": Sinc,
    "spectrogram": Spectrogram,
    "spectrogram-image": SpectrogramImage,
    "waveform-image": WaveformImage,
}
