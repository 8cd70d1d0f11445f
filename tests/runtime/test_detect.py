"""`earlet detect`, from good sound to every kind of bad, by what it prints and its exit code."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import earlet
from earlet.audio import BLOCK_SAMPLES, read
from earlet.cli import run
from earlet.commands.detect import SCHEMA

Wav = Callable[..., Path]
Detect = Callable[..., tuple[int, str, str]]


@pytest.fixture
def detect(shared_bundle: Path, capsys: pytest.CaptureFixture[str]) -> Detect:
    """Runs `earlet detect` on the test's bundle: (exit code, stdout, stderr)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run(["detect", "--model", str(shared_bundle), *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def low(wav: Wav, tone: Any) -> Path:
    return wav("low.wav", tone(500))


@pytest.fixture
def high(wav: Wav, tone: Any) -> Path:
    return wav("high.wav", tone(5000, rate_hz=44_100, seconds=2), 44_100)


def test_it_prints_one_aligned_line_a_file(detect: Detect, low: Path, high: Path) -> None:
    code, out, err = detect(low, high)
    assert (code, err) == (0, "")
    first, second = out.splitlines()
    assert first.startswith(str(low))
    assert "bonafide" in first
    assert "synthetic  " in second
    assert "% synthetic" in second
    assert first.index("score ") == second.index("score ")
    assert "(threshold +0.25)" in second
    assert second.endswith("0.0 to 2.0 s")


def test_json_is_one_object_a_line_and_nothing_else(detect: Detect, low: Path, high: Path) -> None:
    code, out, err = detect(low, high, "--json")
    assert (code, err) == (0, "")
    first, second = map(json.loads, out.splitlines())
    assert set(first) == {
        *("schema", "file", "original_sample_rate_hz", "label", "score", "probability"),
        *("threshold", "status", "start_s", "end_s", "model", "sha256"),
    }
    assert first["schema"] == SCHEMA
    assert (first["label"], second["label"]) == ("bonafide", "synthetic")
    assert (first["original_sample_rate_hz"], second["original_sample_rate_hz"]) == (16_000, 44_100)
    assert second["file"] == str(high)
    assert second["end_s"] == 2


def test_windows_are_one_line_each(detect: Detect, high: Path) -> None:
    code, out, _ = detect(high, "--windows", "--json")
    spans = [(row["start_s"], row["end_s"]) for row in map(json.loads, out.splitlines())]
    assert code == 0
    assert spans[:2] == [(0, 0.5), (0.25, 0.75)]
    assert spans[-1] == (1.5, 2.0)


def test_a_precision_can_be_asked_for(detect: Detect, low: Path) -> None:
    hashes = {
        json.loads(detect(low, "--json", "--precision", p)[1])["sha256"] for p in ("fp32", "int8")
    }
    assert len(hashes) == 2
    code, _, err = detect(low, "--precision", "fp16")
    assert code == 2
    assert "has no 'fp16' graph; it has fp32, int8" in err


def test_it_reads_a_pipe(detect: Detect, high: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(high.read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    code, out, _ = detect("-", "--json")
    assert code == 0
    assert json.loads(out)["label"] == "synthetic"


def test_it_can_fail_on_a_label(detect: Detect, low: Path, high: Path) -> None:
    assert detect(low, high, "--fail-on", "synthetic")[0] == 1
    assert detect(low, "--fail-on", "synthetic")[0] == 0
    code, out, err = detect(low, "--fail-on", "spoof")
    assert (code, out) == (2, "")
    assert "--fail-on 'spoof' can never happen: the labels of bands are bonafide, synthetic" in err


def test_one_bad_file_does_not_stop_the_others(
    detect: Detect, low: Path, high: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "notes.wav"
    bad.write_text("not sound")
    code, out, err = detect(low, bad, high, "--json")
    assert code == 2
    assert [json.loads(line)["file"] for line in out.splitlines()] == [str(low), str(high)]
    assert err.startswith(f"earlet: {bad} is not a sound file")
    assert len(err.splitlines()) == 1
    assert detect(high, bad, "--fail-on", "synthetic")[0] == 2


def bad_sounds() -> dict[str, tuple[Any, dict[str, Any], str]]:
    """Name -> (samples, how they are stored, what is said of them)."""
    sound = np.random.default_rng(2).uniform(-0.5, 0.5, 44_100)
    nan = sound.copy()
    nan[100:103] = np.nan
    return {
        "no samples": (sound[:0], {}, "holds no samples"),
        "stereo": (np.stack([sound, sound], 1), {"rate_hz": 44_100}, "has 2 channels"),
        "integers": (np.rint(sound * 32768), {"subtype": "FLOAT"}, "divide them by 32768"),
        "nan": (nan, {"subtype": "FLOAT"}, "3 of 44100 samples are not finite"),
        "short": (sound[:800], {}, "is 0.05 s long, and this detector needs at least 0.1 s"),
    }


@pytest.mark.parametrize("kind", list(bad_sounds()))
def test_bad_sound_is_named_and_leaves_with_2(detect: Detect, wav: Wav, kind: str) -> None:
    samples, stored, message = bad_sounds()[kind]
    path = wav("bad.wav", samples, **stored)
    code, out, err = detect(path)
    assert (code, out) == (2, "")
    assert err.startswith("earlet: ")
    assert str(path) in err
    assert message in err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text.wav", b"Dear diary", "is not a sound file"),
        ("empty.wav", b"", "is empty: it has 0 bytes"),
        ("missing.wav", None, "cannot be read: No such file"),
    ],
)
def test_bad_files_are_named_and_leave_with_2(
    detect: Detect, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    code, out, err = detect(path)
    assert (code, out) == (2, "")
    assert f"{path} {message}" in err
    assert len(err.splitlines()) == 1


def test_stereo_is_judged_once_a_channel_is_chosen(detect: Detect, wav: Wav, tone: Any) -> None:
    path = wav("two.wav", np.stack([tone(500), tone(5000)], axis=1))
    labels = [json.loads(detect(path, "--json", "--channel", c)[1])["label"] for c in "01"]
    assert labels == ["bonafide", "synthetic"]
    assert detect(path, "--channel", "mean")[0] == 0
    assert detect(path, "--channel", "2")[0] == 2
    code, _, err = detect(path, "--channel", "left")
    assert code == 2
    assert "--channel should be 0, 1, ... or mean, found 'left'" in err


def test_silence_is_no_fault_and_no_verdict(detect: Detect, wav: Wav) -> None:
    path = wav("quiet.wav", np.zeros(16_000))
    code, out, err = detect(path)
    assert (code, err) == (0, "")
    assert "no signal" in out
    assert "nothing above -75 dB" in out
    row = json.loads(detect(path, "--json")[1])
    assert (row["status"], row["label"], row["score"]) == ("no_signal", None, None)


def test_a_missing_bundle_leaves_with_4(low: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["detect", str(low), "--model", "nowhere"]) == 4
    assert "earlet: there is no bundle at nowhere" in capsys.readouterr().err


def test_a_bundle_with_one_byte_changed_leaves_with_4(
    own_bundle: Path, low: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = own_bundle / "int8.onnx"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert run(["detect", str(low), "--model", str(own_bundle)]) == 4
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"{file} is not the file that was exported" in captured.err


def test_no_file_at_all_is_a_usage_error(detect: Detect) -> None:
    assert detect()[0] == 2


def test_it_says_of_a_file_what_the_detector_says_of_its_samples(
    detect: Detect, shared_bundle: Path, wav: Wav, tone: Any
) -> None:
    """Files are read block by block, whatever their length and rate: no bit may differ."""
    detector = earlet.load(shared_bundle)
    noise = np.random.default_rng(3).uniform(-0.2, 0.2, 44_100 * 4)
    sound = (tone(900, seconds=4, rate_hz=44_100) + noise) / 2
    path = wav("long.wav", sound, 44_100)
    samples = read(path).samples
    assert len(samples) > 2 * BLOCK_SAMPLES
    (row,) = map(json.loads, detect(path, "--json")[1].splitlines())
    assert row["score"] == detector(samples, 44_100).score
    rows = [json.loads(line) for line in detect(path, "--json", "--windows")[1].splitlines()]
    judged = detector.windows(samples, 44_100)
    assert [(r["score"], r["start_s"], r["end_s"]) for r in rows] == [
        (v.score, v.start_s, v.end_s) for v in judged
    ]


def test_a_bad_sample_far_into_a_file_is_named_by_its_place(detect: Detect, wav: Wav) -> None:
    sound = np.random.default_rng(2).uniform(-0.5, 0.5, 3 * BLOCK_SAMPLES)
    sound[[2 * BLOCK_SAMPLES + 5, 3 * BLOCK_SAMPLES - 1]] = np.nan
    code, out, err = detect(wav("bad.wav", sound, subtype="FLOAT"))
    assert (code, out) == (2, "")
    assert f"2 of {3 * BLOCK_SAMPLES} samples are not finite" in err
    assert f"the first is sample {2 * BLOCK_SAMPLES + 5}" in err


def test_no_file_is_ever_read_whole(
    detect: Detect, wav: Wav, tone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked of libsndfile at a time is a block, however long the file."""
    asked = []
    real = soundfile.SoundFile.read

    def read_some(self: Any, frames: int = -1, *args: Any, **options: Any) -> Any:
        asked.append(frames)
        return real(self, frames, *args, **options)

    monkeypatch.setattr(soundfile.SoundFile, "read", read_some)
    path = wav("long.wav", tone(500, seconds=20))
    assert detect(path)[0] == 0
    assert len(asked) >= 5
    assert set(asked) == {BLOCK_SAMPLES}
