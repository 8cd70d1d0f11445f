"""How sound becomes a picture: one file and one line here per frontend."""

from earlet_train.frontends.bands import Bands
from earlet_train.frontends.cqcc import Cqcc
from earlet_train.frontends.frontend import Frontend
from earlet_train.frontends.spectrogram import Spectrogram

FRONTENDS: dict[str, type[Frontend]] = {
    "bands": Bands,
    "cqcc": Cqcc,
    "spectrogram": Spectrogram,
}
