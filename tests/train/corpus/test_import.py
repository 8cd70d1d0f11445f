"""Published datasets become corpora: counts, labels, attacks and groups as published."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from published.trees import TREES, sound, text

from earlet.cli import run
from earlet.errors import CorpusError
from earlet.protocol import Trial, missing_files, read_protocol, splits
from earlet.scoring import read_trial
from earlet_train.corpus.importing import DATASETS

# Split -> label -> recordings, counted by eye in the trees.
COUNTS: dict[str, dict[str, dict[str, int]]] = {
    "asvspoof2019-la": {
        "train": {"bonafide": 2, "spoof": 2},
        "dev": {"bonafide": 1, "spoof": 1},
        "eval": {"bonafide": 1, "spoof": 2},
    },
    "asvspoof2019-pa": {
        "train": {"bonafide": 1, "spoof": 2},
        "dev": {"bonafide": 1, "spoof": 1},
        "eval": {"bonafide": 1, "spoof": 1},
    },
    "asvspoof2021-df": {"eval": {"bonafide": 1, "spoof": 2}, "progress": {"spoof": 1}},
    "asvspoof2021-la": {
        "eval": {"bonafide": 1, "spoof": 2},
        "hidden": {"bonafide": 1, "spoof": 1},
        "progress": {"bonafide": 1, "spoof": 1},
    },
    "asvspoof2021-pa": {
        "eval": {"bonafide": 1, "spoof": 1},
        "progress": {"bonafide": 1, "spoof": 1},
    },
    "csv": {"train": {"cat": 1, "dog": 1}, "dev": {"cat": 1}, "eval": {"dog": 1}},
    "esc50": {
        "train": {"dog": 1, "toilet_flush": 1, "vacuum_cleaner": 1},
        "eval": {"chirping_birds": 1, "dog": 1},
    },
    "folders": {
        "train": {"cat": 7, "dog bark": 14},
        "dev": {"cat": 1, "dog bark": 2},
        "eval": {"cat": 2, "dog bark": 4},
    },
    "in-the-wild": {"eval": {"bonafide": 2, "spoof": 3}},
    "nsynth": {"train": {"bass": 2, "guitar": 1}, "dev": {"keyboard": 1}, "eval": {"vocal": 1}},
    "speech-commands-v2": {
        "train": {"backward": 1, "bed": 2},
        "dev": {"bed": 1},
        "eval": {"backward": 1, "zero": 1},
    },
    "tau2020-mobile": {
        "train": {"airport": 3, "street_pedestrian": 2},
        "eval": {"airport": 1, "street_pedestrian": 1},
    },
    "urbansound8k": {
        "train": {"car_horn": 1, "dog_bark": 2},
        "eval": {"children_playing": 1, "dog_bark": 1},
    },
}
TYPED = {"urbansound8k": ["--fold", "5"]}
# One recording of each: file, speaker, system, key, extras.
ONE: dict[str, tuple[str, tuple[str, str, str, str, dict[str, str]]]] = {
    "asvspoof2019-la": ("train", ("LA_T_1056709", "LA_0080", "A06", "spoof", {})),
    "asvspoof2019-pa": (
        "train",
        ("PA_T_0000542", "PA_0080", "CB", "spoof", {"environment": "acb"}),
    ),
    "asvspoof2021-df": (
        "eval",
        (
            *("DF_E_2000013", "TEF2", "Task1-team20", "spoof"),
            {
                "compression": "low_m4a",
                "source": "vcc2020",
                "trim": "notrim",
                "vocoder": "neural_vocoder_nonautoregressive",
                "task": "Task1",
                "team": "team20",
                "gender_pair": "FF",
                "language": "E",
            },
        ),
    ),
    "asvspoof2021-la": (
        "eval",
        (
            *("LA_E_6866159", "LA_0020", "-", "bonafide"),
            {"codec": "pstn", "transmission": "mad_tx", "trim": "notrim"},
        ),
    ),
    "asvspoof2021-pa": (
        "progress",
        (
            *("PA_E_1000003", "PA_0012", "c3-s2", "spoof"),
            {
                "asv_room": "R9",
                "asv_mic": "M1",
                "distance_to_asv": "D6",
                "attack_room": "r9",
                "attack_mic": "m3",
                "attack_device": "s2",
                "attack_to_speaker": "c3",
                "trim": "notrim",
            },
        ),
    ),
    "csv": ("train", ("one two/a.wav", "tom", "-", "cat", {"room": "kitchen"})),
    "esc50": (
        "eval",
        (
            *("1-100032-A-0", "100032", "-", "dog"),
            {"fold": "1", "target": "0", "esc10": "True", "take": "A"},
        ),
    ),
    "folders": ("train", ("dog bark/take 0.wav", "-", "-", "dog bark", {})),
    "in-the-wild": ("eval", ("4", "King, Martin Luther", "-", "bonafide", {})),
    "nsynth": (
        "train",
        (
            *("guitar_acoustic_001-082-050", "guitar_acoustic_001", "-", "guitar"),
            {"instrument_source": "acoustic", "pitch": "82", "velocity": "50"},
        ),
    ),
    "speech-commands-v2": ("eval", ("zero/0132a06d_nohash_2", "0132a06d", "-", "zero", {})),
    "tau2020-mobile": (
        "eval",
        (
            *("airport-prague-1002-40010-s6", "prague-1002", "-", "airport"),
            {"device": "s6", "city": "prague", "segment": "40010"},
        ),
    ),
    "urbansound8k": (
        "eval",
        (
            *("100263-2-0-117", "100263", "-", "children_playing"),
            {"fold": "5", "salience": "1", "source_start_s": "58.5", "source_end_s": "62.5"},
        ),
    ),
}


def test_every_kind_has_its_tree() -> None:
    assert list(DATASETS) == list(TREES) == list(COUNTS) == list(ONE)


@pytest.mark.parametrize("kind", DATASETS)
def test_a_dataset_is_read_as_published(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = TREES[kind](tmp_path / "as published"), tmp_path / "my corpus"
    assert run(["corpus", "import", kind, str(root), "--out", str(out), *TYPED.get(kind, [])]) == 0
    shown = capsys.readouterr().out
    for label in {label for own in COUNTS[kind].values() for label in own}:
        assert label in shown
    inventory = json.loads((out / "corpus.json").read_text())
    assert inventory["counts"] == COUNTS[kind]
    assert set(splits(out)) == set(COUNTS[kind])
    for split, labels in COUNTS[kind].items():
        trials = read_protocol(out, split)
        assert {key: sum(t.key == key for t in trials) for key in labels} == labels
        assert len(trials) == sum(labels.values())
        assert missing_files(trials) == []
    split, (file, speaker, system, key, extras) = ONE[kind]
    (found,) = (t for t in read_protocol(out, split) if t.file == file)
    assert (found.speaker, found.system, found.key, dict(found.extras)) == (
        *(speaker, system, key, extras),
    )
    assert found.path.is_relative_to(root)
    assert "-" not in {cell for t in read_protocol(out, split) for cell in t.extras.values()}
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("kind", ["asvspoof2019-la", "in-the-wild", "esc50", "urbansound8k"])
def test_the_parent_of_an_unpacked_archive_is_found_too(kind: str, tmp_path: Path) -> None:
    nested = DATASETS[kind].nested[0]
    TREES[kind](tmp_path / "down" / nested)
    out = tmp_path / "out"
    typed = TYPED.get(kind, [])
    assert run(["corpus", "import", kind, str(tmp_path / "down"), "--out", str(out), *typed]) == 0
    assert json.loads((out / "corpus.json").read_text())["counts"] == COUNTS[kind]


def test_an_imported_tree_has_the_trials_of_the_tree_itself(tmp_path: Path) -> None:
    root, out = TREES["asvspoof2019-pa"](tmp_path / "PA"), tmp_path / "out"
    assert run(["corpus", "import", "asvspoof2019-pa", str(root), "--out", str(out)]) == 0
    for split in ("train", "dev", "eval"):
        assert read_protocol(out, split) == read_protocol(root, split)


def test_json_alone_is_on_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out = TREES["nsynth"](tmp_path / "in"), tmp_path / "out"
    assert run(["corpus", "import", "nsynth", str(root), "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((out / "corpus.json").read_text())
    assert told["labels"] == ["bass", "guitar", "keyboard", "vocal"]
    assert told["rates_hz"] == {"16000": 5}
    assert told["hours"]["train"] == pytest.approx(0.3 / 3600, abs=1e-4)


def test_noise_of_speech_commands_is_named_as_left_out(tmp_path: Path) -> None:
    root, out = TREES["speech-commands-v2"](tmp_path / "in"), tmp_path / "out"
    assert run(["corpus", "import", "speech-commands-v2", str(root), "--out", str(out)]) == 0
    left_out = json.loads((out / "corpus.json").read_text())["left_out"]
    assert list(left_out) == ["_background_noise_: 1 files"]


def test_a_copy_stands_by_itself(tmp_path: Path) -> None:
    root = TREES["speech-commands-v2"](tmp_path / "in")
    out, moved = tmp_path / "out", tmp_path / "moved here"
    typed = ["corpus", "import", "speech-commands-v2", str(root), "--out", str(out), "--copy"]
    assert run(typed) == 0
    before = [t.path.read_bytes() for t in read_protocol(out, "train")]
    shutil.rmtree(root)
    out.rename(moved)
    trials = read_protocol(moved, "train")
    assert [t.path.read_bytes() for t in trials] == before
    assert all(t.path.is_relative_to(moved / "audio") for t in trials)


def test_converted_audio_is_mono_of_one_rate_and_fit_to_train_on(tmp_path: Path) -> None:
    root, out = TREES["urbansound8k"](tmp_path / "in"), tmp_path / "out"
    time_s = np.arange(44_100) / 44_100
    left = 0.5 * np.sin(2 * np.pi * 1_000 * time_s)
    stereo = np.stack([left, np.zeros_like(left)], axis=1)
    soundfile.write(root / "audio" / "fold5" / "100032-3-0-0.wav", stereo, 44_100)
    typed = ["--fold", "10", "--dev-fold", "5", "--convert", "16000"]
    assert run(["corpus", "import", "urbansound8k", str(root), "--out", str(out), *typed]) == 0
    told = json.loads((out / "corpus.json").read_text())
    assert told["rates_hz"] == {"16000": 5}
    assert told["channels"] == {"1": 5}
    assert told["counts"]["eval"] == {"car_horn": 1, "dog_bark": 1}
    tone = next(t for t in read_protocol(out, "dev") if t.file == "100032-3-0-0")
    heard = read_trial(tone, sample_rate_hz=16_000)
    assert len(heard) == 16_000
    # Half as loud as the left channel, at the same pitch.
    wanted = 0.25 * np.sin(2 * np.pi * 1_000 * np.arange(16_000) / 16_000)
    assert np.abs(heard - wanted)[500:-500].max() < 2e-3


def test_official_folds_are_the_splits(tmp_path: Path) -> None:
    root = TREES["esc50"](tmp_path / "in")
    assert run(["corpus", "import", "esc50", str(root), "--out", str(tmp_path / "first")]) == 0
    told = json.loads((tmp_path / "first" / "corpus.json").read_text())
    assert told["options"] == {"fold": 1, "dev_fold": 0}
    for fold in (1, 2, 3, 5):
        dev_fold, out = 3 if fold != 3 else 2, tmp_path / f"out{fold}"
        typed = ["--fold", str(fold), "--dev-fold", str(dev_fold)]
        assert run(["corpus", "import", "esc50", str(root), "--out", str(out), *typed]) == 0
        assert {t.extras["fold"] for t in read_protocol(out, "eval")} == {str(fold)}
        assert {t.extras["fold"] for t in read_protocol(out, "dev")} == {str(dev_fold)}
        rest = {"1", "2", "3", "5"} - {str(fold), str(dev_fold)}
        assert {t.extras["fold"] for t in read_protocol(out, "train")} == rest


def test_in_the_wild_by_speaker_holds_speakers_apart(tmp_path: Path) -> None:
    rows = ["file,speaker,label"]
    for number in range(120):
        label = "spoof" if number % 2 else "bona-fide"
        rows.append(f"{number}.wav,speaker {number // 2 % 15},{label}")
        sound(tmp_path / "in" / f"{number}.wav", rate_hz=16_000, seconds=0.01)
    text(tmp_path / "in" / "meta.csv", "\n".join(rows) + "\n")
    typed = ["corpus", "import", "in-the-wild", str(tmp_path / "in"), "--by-speaker"]
    found: dict[str, dict[str, list[Trial]]] = {}
    for name, seed in (("a", "0"), ("again", "0"), ("other", "1")):
        assert run([*typed, "--out", str(tmp_path / name), "--seed", seed]) == 0
        found[name] = {s: read_protocol(tmp_path / name, s) for s in ("train", "dev", "eval")}
    assert found["a"] == found["again"] != found["other"]
    for own in found.values():
        speakers = [{t.speaker for t in trials} for trials in own.values()]
        assert not set.intersection(*speakers)
        assert sum(map(len, speakers)) == 15
        assert [len(trials) for trials in own.values()] == [72, 24, 24]


def test_a_dev_share_moves_whole_places_and_leaves_eval_alone(tmp_path: Path) -> None:
    root, out = TREES["tau2020-mobile"](tmp_path / "in"), tmp_path / "out"
    typed = ["corpus", "import", "tau2020-mobile", str(root), "--out", str(out)]
    assert run([*typed, "--dev-share", "0.4"]) == 0
    train, dev = read_protocol(out, "train"), read_protocol(out, "dev")
    assert len(train) + len(dev) == 5
    assert {t.key for t in dev} == {"airport", "street_pedestrian"}
    assert not {t.speaker for t in train} & {t.speaker for t in dev}
    assert len(read_protocol(out, "eval")) == 2


def test_a_split_that_was_not_published_is_refused_with_the_way_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = TREES["esc50"](tmp_path / "in"), tmp_path / "out"
    assert run(["corpus", "import", "esc50", str(root), "--out", str(out)]) == 0
    assert "import with --dev-fold" in capsys.readouterr().out
    with pytest.raises(CorpusError, match=r"no split 'dev'; it has train, eval.*--dev-fold"):
        read_protocol(out, "dev")


def test_keys_may_lie_elsewhere(tmp_path: Path) -> None:
    root, out = TREES["asvspoof2021-la"](tmp_path / "in"), tmp_path / "out"
    (root / "keys").rename(tmp_path / "keys")
    typed = ["corpus", "import", "asvspoof2021-la", str(root), "--out", str(out)]
    assert run(typed) == 2
    assert run([*typed, "--keys", str(tmp_path / "keys")]) == 0
    assert json.loads((out / "corpus.json").read_text())["counts"] == COUNTS["asvspoof2021-la"]


def test_folders_of_splits_are_taken_as_they_are(tmp_path: Path) -> None:
    for place, count in (("train/bona-fide", 3), ("train/spoof", 2), ("test/spoof", 1)):
        for number in range(count):
            sound(tmp_path / "in" / place / f"{number}.wav", rate_hz=16_000)
    out = tmp_path / "out"
    assert run(["corpus", "import", "folders", str(tmp_path / "in"), "--out", str(out)]) == 0
    told = json.loads((out / "corpus.json").read_text())
    assert told["counts"] == {"train": {"bonafide": 3, "spoof": 2}, "eval": {"spoof": 1}}
    assert told["notes"][0] == "eval has no bonafide"
    assert {t.system for t in read_protocol(out, "train")} == {"-", "unnamed"}
