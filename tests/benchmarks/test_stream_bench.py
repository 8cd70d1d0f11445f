"""`earlet bench --stream`: real small streams are measured, and what does not hold is said."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from streams.small import RATE_HZ, Shape, speech, streaming, write

from earlet.bundle import find
from earlet.cli import run as earlet
from earlet.errors import AudioError, UsageError
from earlet_bench.device import this_device
from earlet_bench.latency import Budget
from earlet_bench.results import append_rows, read_rows
from earlet_bench.rows import Row
from earlet_bench.stream_measure import StreamPlan, measure_streams
from earlet_bench.stream_memory import resident_bytes
from earlet_bench.stream_rows import StreamRow
from earlet_bench.stream_soak import fresh_sound
from earlet_bench.stream_sound import LEAST_S, LongSound, long_sound
from earlet_bench.stream_table import stream_page, stream_text

QUICK = Budget(rounds=3, seconds=0.1)
SOUND = LongSound(
    samples=speech(20.0), sample_rate_hz=RATE_HZ, name="noise that wanders", real=False
)


def measured(bundle: Path, *, soak_min: float = 0.0) -> StreamRow:
    plan = StreamPlan(budget=QUICK, soak_min=soak_min)
    (row,) = measure_streams(find(bundle), SOUND, plan=plan, device=this_device())
    return row


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("streams") / "small", Shape())


@pytest.fixture(scope="module")
def row(folder: Path) -> StreamRow:
    return measured(folder, soak_min=0.5)


def test_a_stream_that_is_its_offline_graph_passes_with_numbers(row: StreamRow) -> None:
    assert row.failures == ()
    windows = 1 + (len(SOUND.samples) - 4000) // 768
    assert row.agreement.windows == windows
    assert row.agreement.max_abs_logit is not None
    assert row.agreement.max_abs_logit < 1e-5
    assert row.agreement.differ == 0
    assert [cut.piece_samples for cut in row.cuts] == [1, 37, 80, 768, 80_000]
    assert all(cut.identical for cut in row.cuts)
    assert row.cuts[-1].verdicts == windows
    assert row.cuts[0].verdicts >= 24
    assert row.company.identical
    assert row.company.share > 0
    assert row.company.state_bytes > 0


def test_costs_stand_beside_those_of_fp32_windows(row: StreamRow) -> None:
    costs = {cost.candidate: cost for cost in row.costs}
    assert list(costs) == ["fp32 window", "fp32 stream"]
    assert costs["fp32 window"].ratio == 1
    assert costs["fp32 stream"].ratio > 0
    assert costs["fp32 stream"].cpu_ms_per_s > 0
    assert costs["fp32 window"].graph_share is None
    assert costs["fp32 stream"].graph_share is not None
    assert 0 < costs["fp32 stream"].graph_share < 1.5


def test_a_soak_ends_where_the_windows_are(row: StreamRow) -> None:
    soak = row.soak
    assert soak is not None
    assert 0.5 <= soak.sound_min < 0.51
    assert soak.windows_at_end == 32
    assert soak.differ == 0
    assert soak.max_abs_score < 1e-4
    assert soak.samples_of_memory == 24
    assert soak.resident_bytes > 1e6
    assert soak.passed


@pytest.mark.parametrize("shape", [Shape(late=60), Shape(in_bytes=True)], ids=["late", "bytes"])
def test_late_answers_and_states_in_bytes_pass_too(tmp_path: Path, shape: Shape) -> None:
    assert measured(write(tmp_path / "b", shape), soak_min=0.2).failures == ()


def test_a_twin_of_another_network_fails_and_the_page_says_so(tmp_path: Path) -> None:
    row = measured(write(tmp_path / "b", Shape(), twin=_of_another(Shape())), soak_min=0.2)
    assert not row.agreement.passed
    assert row.soak is not None
    assert not row.soak.passed
    assert any("farther from its offline graph" in failure for failure in row.failures)
    for text in (stream_text([row]), stream_page([row])):
        assert "FAILED, fp32: it is farther from its offline graph" in text


def _of_another(shape: Shape) -> bytes:
    """Its twin, with another filter over time than the offline graph has."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load_model_from_string(streaming(shape))
    (over,) = [weight for weight in model.graph.initializer if weight.name == "over"]
    over.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(over) * np.float32(1.5), "over"))
    data: bytes = model.SerializeToString()
    return data


def test_what_fails_is_named(row: StreamRow) -> None:
    cuts = (dataclasses.replace(row.cuts[0], identical=False), *row.cuts[1:])
    company = dataclasses.replace(row.company, identical=False)
    failures = dataclasses.replace(row, cuts=cuts, company=company).failures
    assert failures == (
        "its verdicts depend on the pieces (of 1 samples)",
        "64 streams at once answer otherwise than each alone",
    )


def test_rows_of_streams_stand_beside_other_rows(
    row: StreamRow, rows: list[Row], tmp_path: Path
) -> None:
    append_rows(tmp_path, rows)
    file = append_rows(tmp_path, [row])
    assert append_rows(tmp_path, rows[:1]) == file
    kept = json.loads(file.read_text())["rows"]
    assert [one["schema"] for one in kept] == [1, 1, "stream-1", 1]
    assert kept[2] == json.loads(json.dumps(dataclasses.asdict(row)))
    assert len(read_rows(file)) == 3


def test_the_page_names_machine_versions_threads_and_sound(row: StreamRow) -> None:
    page = stream_page([row])
    assert page.startswith("# Streaming: small 1 (")
    assert f"numpy {np.__version__}, onnxruntime" in page
    assert "; 1 thread" in page
    assert "20 s of noise that wanders. Give recordings with --data." in page
    for title in ("window by window", "other pieces", "Processor time", "on one core", "Soak"):
        assert f"{title}\n" in page


# What is heard.


def test_recordings_of_a_folder_make_the_sound(folder: Path, tmp_path: Path) -> None:
    manifest = find(folder).manifest
    for number in range(4):
        wave = speech(20.0, rate_hz=16_000, seed=number)
        soundfile.write(tmp_path / f"{number}.flac", np.stack([wave, wave], 1), 16_000)
    heard = long_sound(manifest, tmp_path, seed=0)
    assert heard.seconds == LEAST_S + 0.5
    assert heard.real
    assert heard.name == f"4 recordings of {tmp_path.name}"
    other = long_sound(manifest, tmp_path, seed=1)
    assert not np.array_equal(heard.samples, other.samples)


def test_without_recordings_the_golden_signals_are_heard(folder: Path) -> None:
    heard = long_sound(find(folder).manifest, None, seed=0)
    assert not heard.real
    assert "no speech" in heard.name
    assert heard.seconds > 5


def test_too_little_or_no_sound_is_refused(folder: Path, tmp_path: Path) -> None:
    manifest = find(folder).manifest
    with pytest.raises(UsageError, match="holds no recordings"):
        long_sound(manifest, tmp_path, seed=0)
    soundfile.write(tmp_path / "short.wav", speech(2.0), RATE_HZ)
    with pytest.raises(UsageError, match=r"holds 2 s of sound, and 60 s are needed"):
        long_sound(manifest, tmp_path, seed=0)
    with pytest.raises(UsageError, match="there is no "):
        long_sound(manifest, tmp_path / "none", seed=0)
    (tmp_path / "no.wav").write_bytes(b"nothing")
    with pytest.raises(AudioError):
        long_sound(manifest, tmp_path / "no.wav", seed=0)


def test_soaked_sound_is_never_the_same_twice() -> None:
    pieces = fresh_sound(SOUND.samples, rng=np.random.default_rng(0), around_samples=768)
    drawn = [next(pieces) for _ in range(400)]
    loud = [piece.tobytes() for piece in drawn if piece.any()]
    assert len(set(loud)) == len(loud) > 300
    assert any(not piece.any() for piece in drawn)
    assert max(map(len, drawn)) < 2 * 768
    assert max(np.abs(piece).max() for piece in drawn) <= 1


def test_memory_that_is_taken_is_seen() -> None:
    before = resident_bytes()
    assert before is not None
    taken = np.ones(4_000_000)
    after = resident_bytes()
    assert after is not None
    assert after - before > 0.9 * taken.nbytes


# As a user runs it.


def test_the_command_prints_tables_and_keeps_the_rows(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["bench", str(folder), "--stream", "--rounds", "3"]
    assert earlet([*command, "--results", str(tmp_path / "results")]) == 0
    out, err = capfd.readouterr()
    assert "fp32, the stream" in out
    assert "Soak" not in out
    (file,) = (tmp_path / "results").glob("*.json")
    assert f"written: {file}" in err
    assert json.loads(file.read_text())["rows"][0]["schema"] == "stream-1"
    assert earlet([*command, "--no-save", "--json", "--soak", "0.1"]) == 0
    (printed,) = json.loads(capfd.readouterr().out)["rows"]
    assert printed["soak"]["sound_min"] >= 0.1
    assert earlet([*command, "--no-save", "--markdown"]) == 0
    assert "| fp32 | " in capfd.readouterr().out


def test_a_stream_that_strays_ends_with_exit_code_1(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bundle = write(tmp_path / "b", Shape(), twin=_of_another(Shape()))
    assert earlet(["bench", str(bundle), "--stream", "--rounds", "3", "--no-save"]) == 1
    out, err = capfd.readouterr()
    assert "FAILED, fp32" in out
    assert "small fp32 failed on this machine" in " ".join(err.split())


def test_a_bundle_that_does_not_stream_says_how_to_export_one(
    tmp_path: Path, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plain = write(tmp_path / "plain")
    assert earlet(["bench", str(folder), str(plain), "--stream", "--no-save"]) == 2
    said = " ".join(capfd.readouterr().err.split())
    assert "has no streaming graph" in said
    assert 'stream = "exact"' in said
    assert earlet(["bench", str(folder / "fp32.onnx"), "--stream", "--no-save"]) == 2
    assert "is one file of a bundle" in " ".join(capfd.readouterr().err.split())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--soak", "1"], "ask for streams with --stream"),
        (["--stream", "--sweep"], "--sweep has no meaning with --stream"),
        (["--stream", "--original", "run"], "--original has no meaning with --stream"),
        (["--stream", "--threads", "2"], "--threads has no meaning with --stream"),
    ],
)
def test_options_that_do_not_belong_together_are_refused(
    folder: Path, capfd: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert earlet(["bench", str(folder), *more, "--no-save"]) == 2
    assert said in " ".join(capfd.readouterr().err.split())
