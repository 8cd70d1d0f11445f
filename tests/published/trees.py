"""Tiny datasets, written literally as the published ones are: no code of the importers is used."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile


def sound(file: Path, *, rate_hz: int, seconds: float = 0.1, channels: int = 1) -> Path:
    """Noise; another one for every name."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(file.name.encode()))
    noise = rng.uniform(-0.1, 0.1, (round(seconds * rate_hz), channels))
    soundfile.write(file, noise, rate_hz, subtype="PCM_16")
    return file


def text(file: Path, content: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
    return file


LA_2019 = {
    "train": """\
LA_0079 LA_T_1138215 - - bonafide
LA_0079 LA_T_1271820 - - bonafide
LA_0079 LA_T_1004644 - A01 spoof
LA_0080 LA_T_1056709 - A06 spoof
""",
    "dev": """\
LA_0069 LA_D_1047731 - - bonafide
LA_0069 LA_D_1005664 - A03 spoof
""",
    "eval": """\
LA_0039 LA_E_2834763 - A11 spoof
LA_0014 LA_E_8877452 - A14 spoof
LA_0031 LA_E_5464494 - - bonafide
""",
}
PA_2019 = {
    "train": """\
PA_0079 PA_T_0000001 aaa - bonafide
PA_0079 PA_T_0000541 aaa AA spoof
PA_0080 PA_T_0000542 acb CB spoof
""",
    "dev": "PA_0069 PA_D_0000001 bca - bonafide\nPA_0069 PA_D_0005401 bca AC spoof\n",
    "eval": "PA_0031 PA_E_0000002 ccc BB spoof\nPA_0031 PA_E_0000003 ccc - bonafide\n",
}


def asvspoof2019(root: Path, track: str, protocols: dict[str, str]) -> Path:
    ends = {"train": "train.trn", "dev": "dev.trl", "eval": "eval.trl"}
    for split, rows in protocols.items():
        folder = root / f"ASVspoof2019_{track}_cm_protocols"
        text(folder / f"ASVspoof2019.{track}.cm.{ends[split]}.txt", rows)
        for row in rows.splitlines():
            name = f"{row.split()[1]}.flac"
            sound(root / f"ASVspoof2019_{track}_{split}" / "flac" / name, rate_hz=16_000)
    return root


KEYS_2021 = {
    "LA": """\
LA_0009 LA_E_9332881 alaw ita_tx A07 spoof notrim eval
LA_0020 LA_E_6866159 pstn mad_tx bonafide bonafide notrim eval
LA_0020 LA_E_5464494 none - A14 spoof notrim progress
LA_0040 LA_E_1000273 none - bonafide bonafide notrim progress
LA_0041 LA_E_1000999 opus loc_tx A19 spoof only_speech hidden
LA_0042 LA_E_1001000 ulaw sin_tx bonafide bonafide only_speech hidden
LA_0009 LA_E_1001001 g722 loc_tx A08 spoof notrim eval
""",
    "DF": """\
LA_0023 DF_E_2000011 nocodec asvspoof A14 spoof notrim progress traditional_vocoder - - - -
TEF2 DF_E_2000013 low_m4a vcc2020 Task1-team20 spoof notrim eval neural_vocoder_nonautoregressive \
Task1 team20 FF E
TGF1 DF_E_2000024 mp3m4a vcc2020 Task2-team12 spoof notrim eval traditional_vocoder Task2 team12 \
FF G
LA_0043 DF_E_2000026 mp3m4a asvspoof bonafide bonafide notrim eval bonafide - - - -
""",
    "PA": """\
PA_0010 PA_E_1000001 R1 M3 D4 r1 m1 s4 c4 spoof notrim eval
PA_0011 PA_E_1000002 R5 M2 D1 - - - - bonafide notrim eval
PA_0012 PA_E_1000003 R9 M1 D6 r9 m3 s2 c3 spoof notrim progress
PA_0013 PA_E_1000004 R9 M1 D6 - - - - bonafide notrim progress
""",
}


def asvspoof2021(root: Path, track: str) -> Path:
    rows = KEYS_2021[track]
    text(root / "keys" / track / "CM" / "trial_metadata.txt", rows)
    folder = root / f"ASVspoof2021_{track}_eval"
    names = [row.split()[1] for row in rows.splitlines()]
    text(folder / f"ASVspoof2021.{track}.cm.eval.trl.txt", "\n".join(sorted(names)) + "\n")
    for name in names:
        sound(folder / "flac" / f"{name}.flac", rate_hz=16_000)
    return root


IN_THE_WILD = """\
file,speaker,label
0.wav,Alec Guinness,spoof
1.wav,Alec Guinness,spoof
2.wav,Barack Obama,spoof
3.wav,Alec Guinness,bona-fide
4.wav,"King, Martin Luther",bona-fide
"""


def in_the_wild(root: Path) -> Path:
    text(root / "meta.csv", IN_THE_WILD)
    for number in range(5):
        sound(root / f"{number}.wav", rate_hz=16_000)
    return root


TAU_TRAIN = """\
filename\tscene_label
audio/airport-lisbon-1000-40000-a.wav\tairport
audio/airport-lisbon-1000-40001-s1.wav\tairport
audio/airport-vienna-15-459-b.wav\tairport
audio/street_pedestrian-milan-1150-44570-a.wav\tstreet_pedestrian
audio/street_pedestrian-paris-1151-44571-c.wav\tstreet_pedestrian
"""
TAU_EVALUATE = """\
filename\tscene_label
audio/airport-prague-1002-40010-s6.wav\tairport
audio/street_pedestrian-lyon-1160-44580-a.wav\tstreet_pedestrian
"""


def tau2020_mobile(root: Path) -> Path:
    text(root / "evaluation_setup" / "fold1_train.csv", TAU_TRAIN)
    text(root / "evaluation_setup" / "fold1_evaluate.csv", TAU_EVALUATE)
    for line in (TAU_TRAIN + TAU_EVALUATE).splitlines():
        if line.startswith("audio/"):
            sound(root / line.split("\t")[0], rate_hz=44_100)
    return root


URBAN = """\
slice_file_name,fsID,start,end,salience,fold,classID,class
100032-3-0-0.wav,100032,0.0,0.317551,1,5,3,dog_bark
100263-2-0-117.wav,100263,58.5,62.5,1,5,2,children_playing
100648-1-0-0.wav,100648,4.823402,5.471927,2,10,1,car_horn
100652-3-0-0.wav,100652,0.0,4.0,1,2,3,dog_bark
100795-3-1-0.wav,100795,0.0,2.3,1,10,3,dog_bark
"""


def urbansound8k(root: Path) -> Path:
    """Rates and channels as mixed as the published ones."""
    text(root / "metadata" / "UrbanSound8K.csv", URBAN)
    for number, line in enumerate(URBAN.splitlines()[1:]):
        cells = line.split(",")
        sound(
            root / "audio" / f"fold{cells[5]}" / cells[0],
            rate_hz=(44_100, 48_000, 22_050)[number % 3],
            channels=1 + number % 2,
        )
    return root


ESC = """\
filename,fold,target,category,esc10,src_file,take
1-100032-A-0.wav,1,0,dog,True,100032,A
1-100038-A-14.wav,1,14,chirping_birds,False,100038,A
2-100210-A-36.wav,2,36,vacuum_cleaner,False,100210,A
3-100018-A-18.wav,3,18,toilet_flush,False,100018,A
5-9032-A-0.wav,5,0,dog,True,9032,A
"""


def esc50(root: Path) -> Path:
    text(root / "meta" / "esc50.csv", ESC)
    for line in ESC.splitlines()[1:]:
        sound(root / "audio" / line.split(",")[0], rate_hz=44_100)
    return root


def speech_commands_v2(root: Path) -> Path:
    for name in (
        *("bed/00176480_nohash_0", "bed/004ae714_nohash_0", "bed/004ae714_nohash_1"),
        *("backward/0165e0e8_nohash_0", "backward/017c4098_nohash_0", "zero/0132a06d_nohash_2"),
        "_background_noise_/doing_the_dishes",
    ):
        sound(root / f"{name}.wav", rate_hz=16_000)
    text(root / "validation_list.txt", "bed/00176480_nohash_0.wav\n")
    text(
        root / "testing_list.txt",
        "backward/0165e0e8_nohash_0.wav\nzero/0132a06d_nohash_2.wav\n",
    )
    text(root / "README.md", "Speech Commands Data Set v0.02\n")
    return root


def note(instrument: str, *, family: int, family_str: str, pitch: int) -> dict[str, object]:
    """The fields of one note of NSynth."""
    return {
        "note": 201034,
        "sample_rate": 16000,
        "instrument_family": family,
        "pitch": pitch,
        "instrument_source_str": "acoustic",
        "note_str": f"{instrument}-{pitch:03}-050",
        "qualities_str": ["dark"],
        "instrument": 417,
        "instrument_str": instrument,
        "qualities": [0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        "instrument_source": 0,
        "velocity": 50,
        "instrument_family_str": family_str,
    }


def nsynth(root: Path) -> Path:
    notes = {
        "nsynth-train": [
            note("bass_synthetic_033", family=0, family_str="bass", pitch=22),
            note("bass_synthetic_033", family=0, family_str="bass", pitch=23),
            note("guitar_acoustic_001", family=3, family_str="guitar", pitch=82),
        ],
        "nsynth-valid": [note("keyboard_acoustic_004", family=4, family_str="keyboard", pitch=60)],
        "nsynth-test": [note("vocal_synthetic_003", family=10, family_str="vocal", pitch=80)],
    }
    for part, own in notes.items():
        examples = {str(one["note_str"]): one for one in own}
        text(root / part / "examples.json", json.dumps(examples, indent=4))
        for name in examples:
            sound(root / part / "audio" / f"{name}.wav", rate_hz=16_000)
    return root


def folders(root: Path) -> Path:
    for label, count in (("cat", 10), ("dog bark", 20)):
        for number in range(count):
            sound(root / label / f"take {number}.wav", rate_hz=8_000)
    return root


CSV = """\
path,label,split,speaker,room
one two/a.wav,cat,train,tom,kitchen
one two/b.wav,cat,validation,felix,
c.wav,dog,train,rex,hall
d.wav,dog,test,lassie,hall
"""


def csv_table(root: Path) -> Path:
    text(root / "mine.csv", CSV)
    for line in CSV.splitlines()[1:]:
        sound(root / line.split(",")[0], rate_hz=8_000)
    return root


TREES: dict[str, Callable[[Path], Path]] = {
    "asvspoof2019-la": lambda root: asvspoof2019(root, "LA", LA_2019),
    "asvspoof2019-pa": lambda root: asvspoof2019(root, "PA", PA_2019),
    "asvspoof2021-df": lambda root: asvspoof2021(root, "DF"),
    "asvspoof2021-la": lambda root: asvspoof2021(root, "LA"),
    "asvspoof2021-pa": lambda root: asvspoof2021(root, "PA"),
    "csv": csv_table,
    "esc50": esc50,
    "folders": folders,
    "in-the-wild": in_the_wild,
    "nsynth": nsynth,
    "speech-commands-v2": speech_commands_v2,
    "tau2020-mobile": tau2020_mobile,
    "urbansound8k": urbansound8k,
}
