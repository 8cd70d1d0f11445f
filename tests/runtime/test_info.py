"""`earlet info` puts a bundle's contract into words, and into JSON."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streams.small import CHUNK, RATE_HZ, Shape, write

from earlet.cli import run
from earlet.events import EventPoint, untuned
from earlet.manifest import Manifest, Short, WindowPolicy, canonical_json


def test_the_contract_is_told_in_words(
    shared_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["info", str(shared_bundle)]) == 0
    out = capsys.readouterr().out
    for fact in (
        "bands 0.1.0",
        "synthetic (against bonafide)",
        "resampled to 16000 Hz",
        "0.5 s, the next one 0.25 s later",
        "the mean over its windows",
        "from 0.1 s on",
        "repeated end to end",
        "below -75 dB",
        "synthetic from +0.250 on",
        "equal error on nine tones: misses 10.0 %, false alarms 10.0 %",
        "int8.onnx, 2 kB, the default",
        "Apache-2.0",
    ):
        assert fact in out


@pytest.mark.parametrize(
    ("short", "words"),
    [("stretch", "slowed down"), ("zero", "followed by silence"), ("reject", "is refused")],
)
def test_every_rule_for_short_clips_has_its_words(
    write_any_bundle: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    short: Short,
    words: str,
) -> None:
    policy = WindowPolicy(window_samples=8000, hop_samples=4000, min_samples=1600, short=short)
    assert run(["info", str(write_any_bundle(policy=policy))]) == 0
    assert words in capsys.readouterr().out


def test_json_is_the_manifest_itself(
    shared_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["info", str(shared_bundle), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["schema"] == "earlet.info/1"
    text = (shared_bundle / "manifest.json").read_text(encoding="utf-8")
    assert canonical_json(record["manifest"]) == text
    assert Manifest.from_json(text, source="m").name == "bands"


def test_a_lone_onnx_tells_its_own_size(
    shared_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["info", str(shared_bundle / "fp32.onnx")]) == 0
    out = capsys.readouterr().out
    assert "fp32.onnx, 2 kB;" in out
    assert "int8.onnx" not in out.split("\n", 1)[1]


def test_a_missing_bundle_leaves_with_4(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", "nowhere"]) == 4
    assert "there is no bundle at nowhere" in capsys.readouterr().err


def test_a_tuned_bundle_says_how_its_verdicts_become_events(
    manifest: Manifest, capsys: pytest.CaptureFixture[str], write_any_bundle: Callable[..., Path]
) -> None:
    point = EventPoint(
        data="calls/dev, 12 recordings",
        hours=1.5,
        false_alarms_per_hour=0.5,
        targets=6,
        misses=1,
        median_latency_s=8.5,
        p90_latency_s=None,
    )
    tuned = dataclasses.replace(manifest, events=untuned(0.25), event_point=point)
    assert run(["info", str(write_any_bundle(manifest=tuned))]) == 0
    shown = capsys.readouterr().out
    assert "smoothed over 2 s; from +0.750 on, for 1 s, until below -0.250; then none for 5 s" in (
        shown
    )
    assert "(1.50 h): 0.50 false alarms per hour, 5 of 6 found, half within 8.5 s" in shown


def test_a_bundle_that_streams_says_how_often_it_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["info", str(write(tmp_path / "streaming", Shape()))]) == 0
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("  streams")]
    assert f"a verdict every {CHUNK / RATE_HZ:.3g} s" in line
    assert ".stream.onnx" in line
