"""All synthesizers of the corpus by their id: a new one is one file and one line here."""

from earlet_train.corpus.engine import Engine
from earlet_train.corpus.engines.clustergen_flite import ClustergenFlite
from earlet_train.corpus.engines.diphone_festival import DiphoneFestival
from earlet_train.corpus.engines.formant_espeak import FormantEspeak
from earlet_train.corpus.engines.griffin_lim import GriffinLim
from earlet_train.corpus.engines.hibari import Hibari
from earlet_train.corpus.engines.hmm_festival import HmmFestival
from earlet_train.corpus.engines.kokoro import Kokoro
from earlet_train.corpus.engines.lpc_vocoder import LpcVocoder
from earlet_train.corpus.engines.neural_vocoder import NeuralVocoder
from earlet_train.corpus.engines.phase_vocoder import PhaseVocoder
from earlet_train.corpus.engines.psola import Psola
from earlet_train.corpus.engines.spectral_filtering import SpectralFiltering
from earlet_train.corpus.engines.unit_selection import UnitSelection
from earlet_train.corpus.engines.waveform_filtering import WaveformFiltering
from earlet_train.corpus.engines.world_conversion import WorldConversion
from earlet_train.corpus.engines.world_copy import WorldCopy

ENGINES: dict[str, Engine] = {
    "A01": FormantEspeak(),
    "A02": DiphoneFestival(),
    "A03": HmmFestival(),
    "A04": Kokoro(),
    "A05": WorldCopy(),
    "A06": GriffinLim(),
    "A07": SpectralFiltering(),
    "A08": WorldConversion(),
    "A09": LpcVocoder(),
    "A10": Psola(),
    "A11": WaveformFiltering(),
    "A12": PhaseVocoder(),
    "A13": UnitSelection(),
    "A14": ClustergenFlite(),
    "A15": Hibari(),
    "A16": NeuralVocoder(),
}
