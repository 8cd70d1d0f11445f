"""`earlet evaluate` of a bundle or a training run, from end to end, as a user runs it."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from commands.evaluate import QUICK, evaluated, refused

from earlet.accuracy import measure_accuracy
from earlet.bundle import find
from earlet.cli import run as earlet
from earlet.labelled import read_labelled
from earlet.protocol import read_protocol
from earlet.scoring import score_trials


def test_both_graphs_of_a_bundle_are_judged_as_earlet_bench_judges_them(
    exported: Path, corpus: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fp32, int8 = evaluated(["evaluate", str(exported), "--data", str(corpus)], capfd)
    assert (fp32["precision"], int8["precision"]) == ("fp32", "int8")
    bundle = find(exported)
    expected = measure_accuracy(
        {"fp32": bundle.session("fp32").logits},
        manifest=bundle.manifest,
        labelled=read_labelled(corpus, limit=None, seed=0),
        reference="fp32",
    )["fp32"]
    report = fp32["binary"]
    for pool in ("known", "unknown", "tts"):
        assert report["pools"][pool]["eer"]["value"] == pytest.approx(expected.pools[pool].eer)
    assert {c["attack"]: c["eer"]["value"] for c in report["attacks"]} == pytest.approx(
        expected.attacks
    )
    assert sum(map(sum, report["decisions"]["confusion"])) == 36
    assert report["decisions"]["threshold"] == bundle.manifest.threshold


def test_the_folder_holds_a_page_json_and_every_picture_it_shows(
    exported: Path, corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    arguments = ["evaluate", str(exported), "--data", str(corpus), "--out", str(out)]
    printed = evaluated(arguments, capfd)
    page = (out / "evaluation.md").read_text()
    assert json.loads((out / "evaluation.json").read_text())["evaluations"] == printed
    pictures = {"det.png", "histogram.png", "conditions.png", "confusion.png"}
    assert {p.name for p in out.iterdir()} == {"evaluation.md", "evaluation.json", *pictures}
    for name in pictures:
        assert f"]({name})" in page
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    assert "| A08 | 12 | 12 |" in page


def test_scores_are_written_with_the_asvspoof_sign_and_give_the_same_rates_back(
    exported: Path, corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "scores.txt"
    (direct,) = evaluated(
        [
            *("evaluate", str(exported), "--data", str(corpus)),
            *("--precision", "fp32", "--scores", str(file)),
        ],
        capfd,
    )
    (again,) = evaluated(["evaluate", str(file), "--data", str(corpus)], capfd)
    assert again["binary"]["pooled"]["eer"] == direct["binary"]["pooled"]["eer"]
    # Scores alone tell the pools too, also those that only the corpus knows.
    assert {"known", "unknown", "tts", "conversion"} == set(again["binary"]["pools"])
    assert again["binary"]["pools"] == direct["binary"]["pools"]
    manifest = find(exported).manifest
    trial = read_protocol(corpus, "eval")[0]
    raw = score_trials(
        [trial],
        find(exported).session("fp32").logits,
        policy=manifest.window,
        sample_rate_hz=manifest.sample_rate_hz,
        positive_index=manifest.positive_index,
    )
    name, score = file.read_text().splitlines()[0].split()
    assert name == trial.file
    assert float(score) == pytest.approx(-raw[0], rel=1e-6)


# What the package of an original has to offer: this one in numpy alone.
_LOADER = """
import hashlib
import numpy as np
from safetensors.numpy import load
from earlet.manifest import Calibration, WindowPolicy

class Original:
    name, version, labels, positive = "small", "0.1.0", ("bonafide", "spoof"), "spoof"
    sample_rate_hz, threshold, calibration = 8_000, 0.0, Calibration()
    window = WindowPolicy(window_samples=4_000, hop_samples=2_000, min_samples=800)

    def __init__(self, data):
        self.sha256, self.weights = hashlib.sha256(data).hexdigest(), load(data)

    def logits(self, windows):
        view = np.lib.stride_tricks.sliding_window_view(windows.astype(np.float64), 64, axis=1)
        features = np.maximum(view[:, ::32] @ self.weights["kernels"].T, 0).mean(axis=1)
        return (features @ self.weights["weight"] + self.weights["bias"]).astype(np.float32)

def load_original(run, *, threads=1):
    return Original((run / "best.safetensors").read_bytes())
"""


def test_a_run_is_judged_through_the_entry_point_of_originals(
    exported: Path,
    run: Path,
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    about = tmp_path / "site" / "whole_original-1.0.dist-info"
    about.mkdir(parents=True)
    (tmp_path / "site" / "whole_original.py").write_text(_LOADER)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: whole-original\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[earlet.originals]\na_whole_one = whole_original:load_original\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (found,) = evaluated(["evaluate", str(run), "--data", str(corpus)], capfd)
    fp32, _ = evaluated(["evaluate", str(exported), "--data", str(corpus)], capfd)
    assert found["precision"] == "original"
    assert found["binary"]["pooled"]["eer"] == fp32["binary"]["pooled"]["eer"]
    err = refused(["evaluate", str(run), "--data", str(corpus), "--precision", "int8"], capfd)
    assert "is a training run" in err


def test_recordings_that_cannot_be_judged_are_counted_named_and_left_out_only_as_asked(
    exported: Path, corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(corpus, tmp_path / "tiny"))
    audio = sorted((copy / "tiny_eval" / "flac").iterdir())
    audio[0].write_bytes(b"")
    soundfile.write(audio[1], np.zeros(8_000), 16_000)
    soundfile.write(audio[2], np.zeros((8_000, 2)), 8_000)
    soundfile.write(audio[3], np.zeros(700), 8_000)
    audio[4].write_bytes(b"fLaC and then nothing of the kind")
    # A FLAC file in name alone: samples that are no numbers.
    soundfile.write(audio[5], np.full(4_000, np.nan), 8_000, format="WAV", subtype="FLOAT")
    # Its header is whole, its end is lost.
    whole = audio[6].read_bytes()
    audio[6].write_bytes(whole[: len(whole) // 2])
    arguments = ["evaluate", str(exported), "--data", str(copy), "--precision", "fp32"]
    err = refused(arguments, capfd)
    assert "7 of 36 recordings cannot be used" in err
    faults = (
        "is empty (0 bytes)",
        "has 16000 Hz, expected 8000 Hz",
        "has 2 channels, expected one",
        "has 700 samples, expected at least 800",
        "is damaged or no audio (",
        "holds numbers that are not finite (NaN or infinity)",
        "is damaged (",
    )
    for file, fault in zip(audio, faults, strict=False):
        assert f"  {file} {fault}" in err
    assert earlet([*arguments, *QUICK, "--json", "--skip-bad"]) == 0
    out, err = capfd.readouterr()
    (found,) = json.loads(out)["evaluations"]
    assert (found["trials"], found["listed"], len(found["skipped"])) == (29, 36, 7)
    for file, fault, told in zip(audio, faults, sorted(found["skipped"]), strict=False):
        assert told.startswith(f"{file.name} {fault}")
    assert err.startswith("left out 7 of 36 recordings that cannot be used:")
    assert str(audio[6]) in err


def test_a_split_without_one_class_is_refused_before_anything_is_heard(
    exported: Path, corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(corpus, tmp_path / "tiny"))
    protocol = next(copy.glob("*/tiny.cm.eval.trl.txt"))
    rows = [row for row in protocol.read_text().splitlines() if row.endswith("spoof")]
    protocol.write_text("\n".join(rows) + "\n")
    err = refused(["evaluate", str(exported), "--data", str(copy)], capfd)
    assert "holds 0 bona fide and 24 spoofed trials" in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--higher", "spoof"), "--higher is for score files"),
        (("--scores", "missing/scores.txt"), "there is no folder missing"),
        (("--asv-metadata", "file"), "give it with --asv"),
        (("--scores", "scores.txt"), "name one with --precision"),
        (("--precision", "int4"), "has no 'int4' graph"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    exported: Path,
    corpus: Path,
    options: tuple[str, ...],
    words: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert words in refused(["evaluate", str(exported), "--data", str(corpus), *options], capfd)


def test_without_scikit_learn_the_pip_line_is_given(
    exported: Path,
    corpus: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    err = refused(["evaluate", str(exported), "--data", str(corpus)], capfd, code=3)
    assert "pip install 'earlet[bench]'" in err


def test_what_is_not_there_is_refused_with_all_that_could_be(
    corpus: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    err = refused(["evaluate", "no-such-thing", "--data", str(corpus)], capfd)
    assert "there is nothing at no-such-thing" in err
    assert "stream-cnn" in err
