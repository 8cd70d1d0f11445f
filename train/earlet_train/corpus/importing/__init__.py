"""The published datasets that `earlet corpus import` reads: one file and one line for each."""

from earlet_train.corpus.importing.asvspoof2019 import Asvspoof2019La, Asvspoof2019Pa
from earlet_train.corpus.importing.asvspoof2021 import (
    Asvspoof2021Df,
    Asvspoof2021La,
    Asvspoof2021Pa,
)
from earlet_train.corpus.importing.csv_table import CsvTable
from earlet_train.corpus.importing.dataset import Dataset
from earlet_train.corpus.importing.esc50 import Esc50
from earlet_train.corpus.importing.folders import Folders
from earlet_train.corpus.importing.in_the_wild import InTheWild
from earlet_train.corpus.importing.nsynth import NSynth
from earlet_train.corpus.importing.speech_commands_v2 import SpeechCommandsV2
from earlet_train.corpus.importing.tau2020_mobile import Tau2020Mobile
from earlet_train.corpus.importing.urbansound8k import UrbanSound8K

DATASETS: dict[str, type[Dataset]] = {
    "asvspoof2019-la": Asvspoof2019La,
    "asvspoof2019-pa": Asvspoof2019Pa,
    "asvspoof2021-df": Asvspoof2021Df,
    "asvspoof2021-la": Asvspoof2021La,
    "asvspoof2021-pa": Asvspoof2021Pa,
    "csv": CsvTable,
    "esc50": Esc50,
    "folders": Folders,
    "in-the-wild": InTheWild,
    "nsynth": NSynth,
    "speech-commands-v2": SpeechCommandsV2,
    "tau2020-mobile": Tau2020Mobile,
    "urbansound8k": UrbanSound8K,
}
