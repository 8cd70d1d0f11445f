"""The study `streaming`: small networks for real, one that streams and others that do not."""

import dataclasses
import json
from pathlib import Path

import pytest

from earlet.cli import run
from earlet_bench.latency import Budget
from earlet_export.studies.streaming import Obstacle, StreamingRow, study_streaming
from earlet_export.studies.streaming_measured import Measuring
from earlet_export.studies.streaming_page import streaming_page, streaming_text
from earlet_train.recipe import parse_recipe

TABLES = """
name = "{name}"
version = "1"
description = "For the tests."
[data]
window_samples = {window}
hop_samples = 4000
min_samples = 3000
{frontend}
{model}
[training]
epochs = 1
[export]
stream = "{stream}"
"""
PLAIN = '[frontend]\nkind = "bands"\nn_fft = 512\nhop_samples = 128\nbands = 32'
LOOKS_AHEAD = '[frontend]\nkind = "log-mel"\nmels = 32'
PADDED = '[model]\nkind = "narrow-cnn"\nchannels = [16, 16, 32]'
STREAMS = f'{PADDED}\ntime_edges = "valid"'


def text(name: str, frontend: str, model: str, stream: str = "window") -> str:
    return TABLES.format(name=name, window=32_768, frontend=frontend, model=model, stream=stream)


@pytest.fixture(scope="module")
def exact() -> StreamingRow:
    recipe = parse_recipe(text("s", PLAIN, STREAMS, "exact"), source="tests")
    return study_streaming([recipe], measuring=Measuring(budget=Budget(rounds=4)))[0]


def test_a_network_that_streams_does_so_to_rounding(exact: StreamingRow) -> None:
    assert "| s | yes |  |  |  | 0.256 s | 0 % |" in streaming_page([exact])
    assert exact.obstacles == ()
    assert exact.streams
    assert exact.hop_s == pytest.approx(0.256)
    assert exact.max_abs_logit is not None
    assert exact.max_abs_logit <= 5e-6
    assert exact.tail_share is not None
    assert exact.tail_share < 0.25


def test_what_streams_is_measured_against_its_windows_and_itself(exact: StreamingRow) -> None:
    found = exact.measured
    assert found is not None
    assert found.sound_s >= 60
    assert not found.real
    assert found.failures == ()
    fp32, int8 = found.equal
    assert (fp32.precision, int8.precision) == ("fp32", "int8")
    for one in found.equal:
        assert one.agreement.windows > 200
        assert one.agreement.differ == 0
        assert [cut.piece_samples for cut in one.cuts] == [1, 37, 160, 4096, 160_000]
        assert all(cut.identical and cut.verdicts > 20 for cut in one.cuts)
        assert one.company.identical
    assert fp32.agreement.max_abs_logit is not None
    assert fp32.agreement.max_abs_logit <= 5e-6
    assert int8.agreement.identical == int8.agreement.windows
    # A window of eight hops, and the frames that its convolutions need beside them.
    assert 5 < found.window_macs_per_s / found.stream_macs_per_s < 8
    assert [c.candidate for c in found.costs] == [
        *("fp32 window", "fp32 stream", "int8 window", "int8 stream")
    ]
    assert found.cost("fp32 stream").ratio < 0.7
    page = streaming_page([exact])
    assert "the golden signals, which are no speech. Give recordings with --data." in page
    assert f"| s | {found.parameters:,} | 0.256 s |" in page
    assert "untrained" in page


def test_what_did_not_hold_is_said(exact: StreamingRow) -> None:
    found = exact.measured
    assert found is not None
    fp32, int8 = found.equal
    bad_cut = dataclasses.replace(int8.cuts[1], identical=False)
    bad = dataclasses.replace(
        found,
        equal=(
            dataclasses.replace(fp32, agreement=dataclasses.replace(fp32.agreement, passed=False)),
            dataclasses.replace(
                int8,
                cuts=(int8.cuts[0], bad_cut),
                company=dataclasses.replace(int8.company, identical=False),
            ),
        ),
    )
    said = "the fp32 stream is not what its windows say; the int8 stream's verdicts depend on the"
    page = streaming_page([dataclasses.replace(exact, measured=bad)])
    assert f"FAILED, s: {said} pieces (of 37 samples); 64 int8 streams at once answer" in page
    assert "| DIFFER: 37 | DIFFER |" in page


def test_frontend_and_model_are_both_named_with_reason_and_remedy(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "padded.toml"
    path.write_text(text("padded", LOOKS_AHEAD, PADDED))
    asked = ["study", "streaming", "--out", str(tmp_path / "study"), "--recipe", str(path)]
    assert run([*asked, "--json"]) == 0
    (row,) = json.loads(capfd.readouterr().out)["rows"]
    frontend, model = row["obstacles"]
    assert frontend["part"] == "frontend"
    assert "looks ahead" in frontend["why"]
    assert model["part"].startswith("model/")
    assert "pads time" in model["why"]
    assert model["change"] == "set its padding along time to 0"
    assert row["tail_share"] > 0.25
    assert row["max_abs_logit"] is None
    page = (tmp_path / "study" / "streaming.md").read_text()
    assert "| padded | no | frontend |" in page
    assert "|  |  | model/" in page
    assert "set its padding along time to 0" in page


def test_every_obstacle_has_a_line_and_the_recipe_stands_in_the_first(exact: StreamingRow) -> None:
    row = StreamingRow(
        recipe="r",
        says="exact",
        obstacles=(Obstacle(part="frontend", why="x"), Obstacle(part="model/y", why="z")),
    )
    page = streaming_page([dataclasses.replace(exact, measured=None), row])
    assert "untrained" not in page, "what was not measured has no table"
    assert "| s | yes |" in page
    assert "| r | no | frontend | x |  |  |  |  |\n|  |  | model/y | z |  |  |  |  |" in page
    said = streaming_text([exact, row])
    assert "r: frontend: x\nr: model/y: z\n" in said
