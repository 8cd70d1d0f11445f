import csv
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earlet.cli import run
from earlet.errors import CorpusError
from earlet_train.corpus.check import CheckReport, check_corpus
from earlet_train.corpus.gate import edge_features, shortcut_gate

SUFFIX = {"train": "train.trn", "dev": "dev.trl", "eval": "eval.trl"}
SYSTEMS = {"train": "A01", "dev": "A01", "eval": "A11"}


@dataclass(frozen=True, kw_only=True)
class Line:
    file: str
    speaker: str
    system: str
    sentence: str


def a_corpus(
    root: Path,
    *,
    each: int = 30,
    sound: Callable[[bool, np.random.Generator], np.ndarray] | None = None,
    change: Callable[[Line, str], Line] | None = None,
    metadata: bool = True,
) -> Path:
    """A tree of noise in both classes, with the tables that the builder writes."""
    rng = np.random.default_rng(0)
    for split, suffix in SUFFIX.items():
        audio = root / f"earlet_{split}/flac"
        audio.mkdir(parents=True)
        rows, lines = [], []
        for number in range(2 * each):
            is_spoof = number % 2 == 1
            line = Line(
                file=f"E_{split}_{number}",
                speaker=f"{split}_{number % 3}",
                system=SYSTEMS[split] if is_spoof else "-",
                sentence=f"{split}{number}",
            )
            line = change(line, split) if change else line
            waveform = (
                0.1 * rng.standard_normal(int(rng.integers(3_000, 5_000)))
                if sound is None
                else sound(is_spoof, rng)
            )
            soundfile.write(audio / f"{line.file}.flac", waveform, 16_000)
            key = "spoof" if is_spoof else "bonafide"
            lines.append(f"{line.speaker} {line.file} - {line.system} {key}\n")
            rows.append(
                {
                    "file": line.file,
                    "speaker": line.speaker,
                    "system": line.system,
                    "key": key,
                    "language": "fr",
                    "source": "s",
                    "sentence": line.sentence,
                    "duration_s": len(waveform) / 16_000,
                    "sha256": hashlib.sha256(
                        (audio / f"{line.file}.flac").read_bytes()
                    ).hexdigest(),
                }
            )
        protocols = root / "earlet_cm_protocols"
        protocols.mkdir(exist_ok=True)
        (protocols / f"earlet.cm.{suffix}.txt").write_text("".join(lines))
        if metadata:
            (root / "earlet_metadata").mkdir(exist_ok=True)
            with (root / f"earlet_metadata/{split}.csv").open("w", newline="") as stream:
                writer = csv.DictWriter(stream, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
    return root


def failed(report: CheckReport) -> list[str]:
    return [finding.check for finding in report.findings if not finding.passed]


def test_a_sound_corpus_passes_and_is_counted(tmp_path: Path) -> None:
    report = check_corpus(a_corpus(tmp_path), jobs=1)
    assert report.passed, report.findings
    assert report.by_system["eval"]["A11"][0] == 30
    assert report.by_language["train"]["fr bonafide"][0] == 30


def test_a_published_tree_without_metadata_is_checked_by_its_protocols(tmp_path: Path) -> None:
    report = check_corpus(a_corpus(tmp_path, metadata=False), jobs=1)
    assert report.passed, report.findings
    assert report.by_language == {}
    assert not [f for f in report.findings if "sentence" in f.check]


def test_missing_files_are_refused_by_name(tmp_path: Path) -> None:
    root = a_corpus(tmp_path)
    (root / "earlet_dev/flac/E_dev_4.flac").unlink()
    with pytest.raises(CorpusError, match=r"1 of 180 files .* E_dev_4\.flac"):
        check_corpus(root, jobs=1)


def test_a_changed_file_is_found(tmp_path: Path) -> None:
    root = a_corpus(tmp_path)
    soundfile.write(root / "earlet_dev/flac/E_dev_4.flac", np.full(3_000, 0.1), 16_000)
    assert failed(check_corpus(root, jobs=1)) == ["every file decodes and is unchanged"]


def test_a_wrong_rate_and_a_damaged_file_are_found(tmp_path: Path) -> None:
    root = a_corpus(tmp_path, metadata=False)
    soundfile.write(root / "earlet_dev/flac/E_dev_4.flac", np.full(3_000, 0.1), 8_000)
    (root / "earlet_dev/flac/E_dev_5.flac").write_bytes(b"fLaC, but no more")
    report = check_corpus(root, jobs=1)
    (finding,) = [f for f in report.findings if not f.passed]
    assert "E_dev_4 has 8000 Hz" in finding.found
    assert "E_dev_5 cannot be decoded" in finding.found


@pytest.mark.parametrize(
    ("field", "value", "check"),
    [
        ("speaker", "one_for_all", "people are in one split each"),
        ("sentence", "one_for_all", "sentences are in one split each"),
    ],
)
def test_what_crosses_the_splits_is_found(
    tmp_path: Path, field: str, value: str, check: str
) -> None:
    def change(line: Line, split: str) -> Line:
        return Line(**{**line.__dict__, field: value}) if line.file.endswith("_0") else line

    assert check in failed(check_corpus(a_corpus(tmp_path, change=change), jobs=1))


def test_the_same_sound_twice_is_found(tmp_path: Path) -> None:
    root = a_corpus(tmp_path, metadata=False)
    flac = "earlet_{0}/flac/E_{0}_{1}.flac"
    (root / flac.format("eval", 2)).write_bytes((root / flac.format("train", 3)).read_bytes())
    assert failed(check_corpus(root, jobs=1)) == ["no sound occurs twice"]


def test_an_attack_outside_its_splits_is_found(tmp_path: Path) -> None:
    root = a_corpus(tmp_path)
    described = {
        "schema": "earlet-corpus-1",
        "size": "demo",
        "seed": 0,
        "earlet": "0",
        "counts": {},
        "hours": {},
        "systems": {
            "A01": {"method": "copy", "splits": ["train"]},
            "A11": {"method": "vc", "splits": ["eval"]},
        },
        "packages": {},
        "left_out": {},
    }
    (root / "corpus.json").write_text(json.dumps(described))
    report = check_corpus(root, jobs=1)
    (finding,) = [f for f in report.findings if not f.passed]
    assert finding.found == "A01 in dev"


def test_the_gate_catches_a_leading_silence(tmp_path: Path) -> None:
    def sound(is_spoof: bool, rng: np.random.Generator) -> np.ndarray:
        waveform = 0.1 * rng.standard_normal(4_000)
        waveform[: 400 if is_spoof else 0] *= 0.01
        return waveform

    assert len(failed(check_corpus(a_corpus(tmp_path, sound=sound), jobs=1))) == 2


def test_the_gate_is_at_chance_where_the_classes_are_alike() -> None:
    rng = np.random.default_rng(1)
    data = [
        (edge_features(rng.standard_normal(int(n)).astype(np.float32)), bool(i % 2))
        for i, n in enumerate(rng.integers(2_000, 4_000, 2_400))
    ]
    for gate in shortcut_gate(train=data[:1_200], eval_=data[1_200:]):
        assert not gate.is_wide
        assert gate.low <= gate.eer <= gate.high


def test_the_command_says_ok_or_failed_by_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = a_corpus(tmp_path / "corpus")
    assert run(["corpus", "check", str(root), "--jobs", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["passed"] is True
    soundfile.write(root / "earlet_dev/flac/E_dev_4.flac", np.full(3_000, 0.1), 16_000)
    assert run(["corpus", "check", str(root), "--jobs", "1"]) == 1
