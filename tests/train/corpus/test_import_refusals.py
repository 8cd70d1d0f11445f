"""What is not as published is refused by file, row and layout, before anything is made."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from published.trees import TREES, sound

from earlet.cli import run
from earlet.protocol import read_protocol


def replaced(file: str, old: str, new: str) -> Callable[[Path], None]:
    """A change to one list."""

    def change(root: Path) -> None:
        content = (root / file).read_text(encoding="utf-8")
        assert old in content
        (root / file).write_text(content.replace(old, new, 1), encoding="utf-8")

    return change


def without(file: str) -> Callable[[Path], None]:
    return lambda root: (root / file).unlink()


LA, DF = "keys/LA/CM/trial_metadata.txt", "keys/DF/CM/trial_metadata.txt"
TRAIN_2019 = "ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.train.trn.txt"
DEV_2019 = "ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.dev.trl.txt"
PA_EVAL = "ASVspoof2019_PA_cm_protocols/ASVspoof2019.PA.cm.eval.trl.txt"
URBAN, ESC = "metadata/UrbanSound8K.csv", "meta/esc50.csv"
TAU = "evaluation_setup/fold1_train.csv"
TRAIN_NOTES = "nsynth-train/examples.json"
BASS = "bass_synthetic_033-022-050"
BED = "bed/00176480_nohash_0.wav"

# kind, what is done to its tree, and what the message must hold.
WRONG: list[tuple[str, Callable[[Path], object], list[str]]] = [
    (
        "asvspoof2019-la",
        without(DEV_2019),
        [DEV_2019 + " is missing", "Expected ASVspoof 2019 LA as published", "_train/flac/LA_T_"],
    ),
    (
        "asvspoof2019-la",
        replaced(TRAIN_2019, "LA_0079 LA_T_1271820 - -", "LA_0079 LA_T_1271820 -"),
        [
            "train.trn.txt, row 2: found 4 columns, expected 5",
            "SPEAKER FILE ENVIRONMENT ATTACK KEY",
        ],
    ),
    (
        "asvspoof2019-la",
        replaced(TRAIN_2019, "- A01 spoof", "A01 - spoof"),
        ["train.trn.txt, row 3: key 'spoof' does not fit system '-'"],
    ),
    (
        "asvspoof2019-la",
        replaced(TRAIN_2019, "- A01 spoof", "A01 A01 spoof"),
        ["train.trn.txt, row 3: ENVIRONMENT 'A01' is not of the form -"],
    ),
    (
        "asvspoof2019-la",
        replaced(TRAIN_2019, "bonafide", "genuine"),
        ["train.trn.txt, row 1: KEY 'genuine' is none of bonafide, spoof"],
    ),
    (
        "asvspoof2019-la",
        replaced(DEV_2019, "LA_D_1047731", "LA_T_1138215"),
        ["dev.trl.txt, row 1: 'LA_T_1138215' is listed already in", "train.trn.txt, row 1"],
    ),
    ("asvspoof2019-pa", replaced(PA_EVAL, "BB", "BD"), ["eval.trl.txt, row 1: ATTACK 'BD'"]),
    ("asvspoof2019-pa", replaced(PA_EVAL, "ccc", "ccd"), ["row 1: ENVIRONMENT 'ccd'"]),
    ("asvspoof2021-la", without(LA), [LA + " is missing", "LA-keys-full.tar.gz", "--keys"]),
    (
        "asvspoof2021-la",
        replaced(LA, " mad_tx", ""),
        ["trial_metadata.txt, row 2: found 7 columns, expected 8", "alaw ita_tx A07 spoof notrim"],
    ),
    ("asvspoof2021-la", replaced(LA, "alaw", "mp3"), ["row 1: CODEC 'mp3' is none of none, alaw"]),
    ("asvspoof2021-la", replaced(LA, "bonafide bonafide", "A09 bonafide"), ["row 2", "'A09'"]),
    ("asvspoof2021-la", replaced(LA, "notrim eval", "notrim test"), ["row 1: SUBSET 'test'"]),
    (
        "asvspoof2021-df",
        replaced(DF, "DF_E_2000013", "DF_E_2000011"),
        ["row 2: 'DF_E_2000011' is listed already in", "row 1"],
    ),
    (
        "asvspoof2021-df",
        replaced("ASVspoof2021_DF_eval/ASVspoof2021.DF.cm.eval.trl.txt", "DF_E", "DF_E_9\nDF_E"),
        ["has no key for 1 of the trials in the published list, the first is DF_E_9"],
    ),
    ("in-the-wild", replaced("meta.csv", "bona-fide", "real"), ["meta.csv, row 5: label 'real'"]),
    ("in-the-wild", replaced("meta.csv", "speaker", "voice"), ["row 1: the header has no column"]),
    ("in-the-wild", replaced("meta.csv", "1.wav,", "0.wav,"), ["row 3: '0' is listed already"]),
    ("in-the-wild", replaced("meta.csv", "Barack Obama,", "Barack Obama"), ["row 4: found 2"]),
    (
        "tau2020-mobile",
        replaced(TAU, "-s1.wav\tairport", "-s1.wav\ttram"),
        ["fold1_train.csv, row 3: filename", "not of the form audio/tram-CITY-LOCATION"],
    ),
    ("tau2020-mobile", replaced(TAU, "\tairport", "\tzoo"), ["row 2: scene_label 'zoo'"]),
    ("tau2020-mobile", replaced(TAU, "-a.wav", "-d.wav"), ["row 2: filename"]),
    ("urbansound8k", replaced(URBAN, "children_playing", "shouting"), ["row 3: class 'shouting'"]),
    ("urbansound8k", replaced(URBAN, ",5,2,", ",5,3,"), ["row 3: classID '3' is not that of"]),
    ("urbansound8k", replaced(URBAN, ",2,10,1", ",2,11,1"), ["row 4: fold '11' is none of 1, 2"]),
    ("urbansound8k", replaced(URBAN, "salience,", ""), ["row 1: the header has no column"]),
    ("esc50", replaced(ESC, "A-14.wav,1,14", "A-14.wav,4,14"), ["row 3: filename '1-100038"]),
    (
        "esc50",
        replaced(ESC, "5-9032-A-0.wav,5,0,dog", "5-9032-A-0.wav,5,0,cat"),
        ["row 6: category 'cat' with target 0 contradicts a row above, where target 0 is 'dog'"],
    ),
    ("speech-commands-v2", without("testing_list.txt"), ["testing_list.txt is missing"]),
    (
        "speech-commands-v2",
        replaced("testing_list.txt", "zero/", "nil/"),
        ["testing_list.txt, row 2: 'nil/0132a06d_nohash_2.wav' is not <word>"],
    ),
    (
        "speech-commands-v2",
        lambda root: sound(root / "hello" / "00176480_nohash_0.wav", rate_hz=16_000),
        ["hello is none of the 35 words", "<word>/<speaker>_nohash_<n>.wav"],
    ),
    (
        "speech-commands-v2",
        lambda root: sound(root / "bed" / "copy.wav", rate_hz=16_000),
        ["copy.wav is not named <speaker>_nohash_<n>.wav"],
    ),
    (
        "speech-commands-v2",
        replaced("testing_list.txt", "zero/0132a06d_nohash_2.wav", BED),
        ["testing_list.txt, row 2: 'bed/00176480_nohash_0' is listed already", "validation_list"],
    ),
    ("nsynth", without("nsynth-valid/examples.json"), ["nsynth-valid/examples.json is missing"]),
    ("nsynth", replaced(TRAIN_NOTES, "{", "["), ["examples.json is not JSON"]),
    (
        "nsynth",
        replaced(TRAIN_NOTES, '"instrument_family_str": "guitar"', '"family": "guitar"'),
        ["row 3: (guitar_acoustic_001-082-050) has no field 'instrument_family_str'"],
    ),
    (
        "nsynth",
        replaced(TRAIN_NOTES, '"bass"', '"drum"'),
        ["row 1: (bass_synthetic_033-022-050) has the instrument_family 0, 'drum'"],
    ),
    (
        "nsynth",
        lambda root: (
            replaced(TRAIN_NOTES, '"bass_synthetic_033-023-050": {', f'"{BASS}": {{')(root),
            replaced(
                TRAIN_NOTES, '"note_str": "bass_synthetic_033-023', f'"note_str": "{BASS[:-4]}'
            )(root),
        ),
        ["row 2: 'bass_synthetic_033-022-050' is listed already in", "examples.json, row 1"],
    ),
    (
        "folders",
        lambda root: (root / "cat" / "notes.txt").write_text("purrs"),
        ["notes.txt is no recording", "<label>/*.wav"],
    ),
    ("folders", lambda root: (root / "empty").mkdir(), ["empty is empty", "<label>/*.wav"]),
    ("folders", lambda root: (root / "train").mkdir(), ["cat is no split, and train beside it"]),
    (
        "csv",
        replaced("mine.csv", "label", "what"),
        ["mine.csv, row 1: has no column for the label"],
    ),
    ("csv", replaced("mine.csv", ",test,", ",exam,"), ["row 5: split 'exam' is none of train"]),
    ("csv", replaced("mine.csv", "c.wav,dog,", "c.wav,,"), ["row 4: the cell 'label' is empty"]),
    ("csv", replaced("mine.csv", "rex,hall", "rex"), ["row 4: found 4 columns, expected 5"]),
    ("csv", replaced("mine.csv", "tom", "tom,cat"), ["row 2: found 6 columns, expected 5"]),
    ("csv", replaced("mine.csv", "d.wav", "c.wav"), ["row 5: 'c.wav' is listed already in"]),
    ("csv", lambda root: (root / "more.csv").write_text("a,b\n"), ["holds 2 tables, expected one"]),
]


@pytest.mark.parametrize(("kind", "spoil", "messages"), WRONG)
def test_a_wrong_tree_is_refused(
    kind: str,
    spoil: Callable[[Path], object],
    messages: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = TREES[kind](tmp_path / "in")
    spoil(root)
    # Nothing but the lists may be wrong: what is bad in the audio is told later.
    typed = ["corpus", "import", kind, str(root), "--out", str(tmp_path / "out"), "--skip-bad"]
    assert run(typed) == 2
    told = capsys.readouterr().err
    assert told.startswith("earlet: ")
    for message in messages:
        assert message in told
    assert list(tmp_path.iterdir()) == [root]


def missing(file: Path) -> None:
    file.unlink()


def without_bytes(file: Path) -> None:
    file.write_bytes(b"")


def without_samples(file: Path) -> None:
    soundfile.write(file, np.zeros(0), 16_000, format=file.suffix[1:].upper())


def garbage(file: Path) -> None:
    file.write_bytes(b"<html>404 not found</html>" * 40)


def at_8_khz(file: Path) -> None:
    soundfile.write(file, np.zeros(800), 8_000, format=file.suffix[1:].upper())


def stereo(file: Path) -> None:
    soundfile.write(file, np.zeros((800, 2)), 16_000, format=file.suffix[1:].upper())


def with_nan(file: Path) -> None:
    soundfile.write(file, np.array([0.1, np.nan]), 16_000, format="WAV", subtype="FLOAT")


BAD: list[tuple[Callable[[Path], None], str]] = [
    (missing, "is missing"),
    (without_bytes, "is empty (0 bytes)"),
    (without_samples, "is empty (0 samples)"),
    (garbage, "is damaged or no audio"),
    (at_8_khz, "has 8000 Hz, expected 16000 Hz"),
    (stereo, "has 2 channels, expected one"),
    (with_nan, "holds numbers that are not finite"),
]


@pytest.mark.parametrize(
    ("kind", "file", "origin"),
    [
        ("in-the-wild", "2.wav", "meta.csv, row 4"),
        ("speech-commands-v2", BED, "validation_list.txt, row 1"),
    ],
)
@pytest.mark.parametrize(("spoil", "fault"), BAD)
def test_a_bad_file_is_named_and_left_out_only_when_asked(
    kind: str,
    file: str,
    origin: str,
    spoil: Callable[[Path], None],
    fault: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root, out = TREES[kind](tmp_path / "in"), tmp_path / "out"
    spoil(root / file)
    typed = ["corpus", "import", kind, str(root), "--out", str(out)]
    assert run(typed) == 2
    told = capsys.readouterr().err
    total = 5 if kind == "in-the-wild" else 6
    assert f"1 of {total} files cannot be used" in told
    assert f"{root / file} ({root / origin}) {fault}" in told
    assert "--skip-bad" in told
    assert ("--convert" in told) == (fault[:4] == "has ")
    assert not out.exists()

    assert run([*typed, "--skip-bad", "--json"]) == 0
    inventory = json.loads(capsys.readouterr().out)
    assert sum(sum(own.values()) for own in inventory["counts"].values()) == total - 1
    assert inventory["left_out"][f"{root / file} ({root / origin})"].startswith(fault)


def test_many_bad_files_are_counted_and_the_first_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = TREES["asvspoof2021-la"](tmp_path / "in")
    for file in (root / "ASVspoof2021_LA_eval" / "flac").iterdir():
        file.unlink()
    typed = ["corpus", "import", "asvspoof2021-la", str(root), "--out", str(tmp_path / "out")]
    assert run(typed) == 2
    told = capsys.readouterr().err
    assert "7 of 7 files cannot be used" in told
    assert told.count("is missing") == 5
    assert "and 2 more" in told
    assert run([*typed, "--skip-bad"]) == 2
    assert "no file can be used" in capsys.readouterr().err


def test_a_file_cut_in_the_middle_is_found_by_decoding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = TREES["asvspoof2019-la"](tmp_path / "in")
    cut = root / "ASVspoof2019_LA_dev" / "flac" / "LA_D_1005664.flac"
    sound(cut, rate_hz=16_000, seconds=2.0)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    typed = ["corpus", "import", "asvspoof2019-la", str(root), "--out"]
    assert run([*typed, str(tmp_path / "quick")]) == 0
    capsys.readouterr()
    assert run([*typed, str(tmp_path / "whole"), "--decode"]) == 2
    assert "LA_D_1005664.flac" in capsys.readouterr().err
    assert not (tmp_path / "whole").exists()


def test_files_of_one_s_own_have_one_rate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = TREES["csv"](tmp_path / "in")
    sound(root / "c.wav", rate_hz=11_025)
    typed = ["corpus", "import", "csv", str(root / "mine.csv"), "--out", str(tmp_path / "out")]
    assert run(typed) == 2
    assert "c.wav" in (told := capsys.readouterr().err)
    assert "has 11025 Hz, expected 8000 Hz" in told
    assert run([*typed, "--convert", "8000"]) == 0


def test_mixed_rates_that_are_published_are_told_and_not_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = TREES["urbansound8k"](tmp_path / "in"), tmp_path / "out"
    typed = ["corpus", "import", "urbansound8k", str(root), "--out", str(out), "--fold", "2"]
    assert run([*typed, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rates_hz"] == {"22050": 1, "44100": 2, "48000": 2}
    assert told["channels"] == {"1": 3, "2": 2}
    assert any("--convert" in note for note in told["notes"])


@pytest.mark.parametrize(
    ("kind", "typed", "message"),
    [
        ("urbansound9k", [], "no kind 'urbansound9k'; did you mean urbansound8k? The kinds are"),
        (
            "nsynth",
            ["--fold", "1"],
            "nsynth has no option --fold; it is one of esc50, urbansound8k",
        ),
        ("esc50", ["--fold", "6"], "--fold 6 --dev-fold 0: there are the folds 1 to 5"),
        ("esc50", ["--dev-fold", "1"], "--fold 1 --dev-fold 1"),
        ("esc50", ["--fold", "4"], "lists no recording of fold 4; it has the folds 1, 2, 3, 5"),
        ("folders", ["--dev-share", "1.5"], "--dev-share is 1.5, expected a share from 0"),
        ("folders", ["--dev-share", "0.5", "--eval-share", "0.5"], "add up to 1, and train gets"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    kind: str, typed: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = TREES[kind](tmp_path / "in") if kind in TREES else tmp_path
    assert run(["corpus", "import", kind, str(root), "--out", str(tmp_path / "out"), *typed]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten_and_nothing_is_written_into_the_dataset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = TREES["nsynth"](tmp_path / "in"), tmp_path / "out"
    typed = ["corpus", "import", "nsynth", str(root), "--out"]
    assert run([*typed, str(root / "corpus")]) == 2
    assert "lies inside the dataset" in capsys.readouterr().err
    out.mkdir()
    assert run([*typed, str(out)]) == 0
    before = (out / "train.tsv").read_bytes()
    assert run([*typed, str(out)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (out / "train.tsv").read_bytes() == before
    assert run([*typed, str(tmp_path / "in" / "nsynth-train" / "examples.json")]) == 2


def test_a_folder_that_is_not_there_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in TREES:
        typed = ["corpus", "import", kind, str(tmp_path / "no"), "--out", str(tmp_path / "out")]
        assert run(typed) == 2
        assert f"there is no folder {tmp_path / 'no'}. Expected" in capsys.readouterr().err


def test_a_recording_outside_of_the_folder_is_read_and_not_copied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = sound(tmp_path / "elsewhere.wav", rate_hz=16_000)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "t.csv").write_text(
        "file;class;split;key words\n../elsewhere.wav;a;train;x\n"
    )
    typed = ["corpus", "import", "csv", str(tmp_path / "in"), "--out"]
    assert run([*typed, str(tmp_path / "out")]) == 0
    (trial,) = read_protocol(tmp_path / "out", "train")
    assert trial.path.resolve() == one
    assert dict(trial.extras) == {"key words": "x"}
    capsys.readouterr()
    assert run([*typed, str(tmp_path / "copied"), "--copy"]) == 2
    assert "lies outside the dataset's folder" in capsys.readouterr().err
    assert {p.name for p in tmp_path.iterdir()} == {"elsewhere.wav", "in", "out"}
