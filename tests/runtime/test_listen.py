"""`earlet listen`, from pipe, file and device, by what it prints and its exit code."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from ctypes.util import find_library
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from earlet.bundle import find
from earlet.cli import run
from earlet.detector import Detector
from earlet.ear import Ear
from earlet.events import EventPoint, EventPolicy, Events, untuned
from earlet.live import SCHEMA, LiveLine, clock, meter
from earlet.sound_in import Source
from earlet.write import check_written, write_bundle
from earlet_bench.tuning.bundle import with_events

Listen = Callable[..., tuple[int, str, str]]
Tone = Callable[..., NDArray[np.float32]]


@pytest.fixture
def sound(tone: Tone) -> NDArray[np.float32]:
    """Ten seconds at 16 kHz that turn from human to synthetic after four."""
    return np.concatenate([tone(500, seconds=4), tone(5000, seconds=6)])


@pytest.fixture(scope="session")
def tuned(tmp_path_factory: pytest.TempPathFactory, shared_bundle: Path) -> Path:
    """The test's bundle with a policy of its own inside, put there as `earlet tune` does it."""
    point = EventPoint(
        data="tones",
        hours=1.0,
        false_alarms_per_hour=0.0,
        targets=1,
        misses=0,
        median_latency_s=1.0,
        p90_latency_s=1.0,
    )
    policy = EventPolicy(on_threshold=1.0, off_threshold=0.5, smoothing_s=0.5, minimum_s=0.5)
    out = tmp_path_factory.mktemp("tuned") / "bands"
    files = with_events(find(shared_bundle), policy=policy, point=point, told="{}\n")
    write_bundle(out, files, check=check_written)
    return out


@pytest.fixture
def listen(
    tuned: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Listen:
    """Runs `earlet listen` on the test's bundle, stdin given: (exit code, stdout, stderr)."""

    def call(*arguments: object, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = run(["listen", "--model", str(tuned), *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def raw(sound: NDArray[np.float32]) -> bytes:
    return (sound * 32767).astype("<i2").tobytes()


def lines(out: str, kind: str) -> list[dict[str, Any]]:
    return [row for row in map(json.loads, out.splitlines()) if row["kind"] == kind]


def test_raw_samples_on_stdin_become_verdicts_events_and_a_summary(
    listen: Listen, sound: NDArray[np.float32]
) -> None:
    code, out, _ = listen("-", "--rate", 16_000, "--json", stdin=raw(sound))
    assert code == 0
    assert {row["schema"] for row in map(json.loads, out.splitlines())} == {SCHEMA}
    verdicts, (begin, end) = lines(out, "verdict"), lines(out, "event")
    assert [v["start_s"] for v in verdicts] == [k / 4 for k in range(39)]
    assert (begin["phase"], end["phase"]) == ("begin", "end")
    assert begin["label"] == "synthetic"
    assert 3.5 <= begin["start_s"] <= 4.0 < begin["known_s"] < 6
    assert end["end_s"] == 10.0
    (summary,) = lines(out, "summary")
    assert (summary["events"], summary["verdicts"]) == (1, 39)
    assert summary["heard_s"] == 10.0
    assert summary["tuned"]


def test_pipe_file_wav_and_other_formats_say_the_same(
    listen: Listen, sound: NDArray[np.float32], wav: Callable[..., Path]
) -> None:
    file = wav("turn.wav", sound)
    told = [
        listen(*arguments, "--json", stdin=stdin)[1]
        for arguments, stdin in (
            ((file,), b""),
            (("-",), file.read_bytes()),
            (("-", "--rate", 16_000), file.read_bytes()),
            (
                ("-", "--rate", 16_000, "--format", "s32"),
                ((sound * 32767).astype("<i2").astype("<i4") << 16).tobytes(),
            ),
        )
    ]
    first = [lines(out, "verdict") for out in told]
    assert len(first[0]) == 39
    for other in first[1:]:
        assert [v["score"] for v in other] == pytest.approx([v["score"] for v in first[0]], 1e-3)


def test_words_are_a_line_a_second_and_every_event(
    listen: Listen, sound: NDArray[np.float32]
) -> None:
    code, out, err = listen("-", "--rate", 16_000, stdin=raw(sound))
    assert code == 0
    *told, summary = out.splitlines()
    assert sum("score" in line and "event" not in line for line in told) == 10
    assert [line for line in told if "event 1 begins: synthetic since 00:0" in line]
    assert [line for line in told if "event 1 ended by end of sound: synthetic from 00:0" in line]
    assert summary.startswith("heard 10.0 s of the sound on stdin at 16000 Hz: 39 verdicts")
    assert "1 event(s) of synthetic" in summary
    assert err == ""
    quiet = listen("-", "--rate", 16_000, "--quiet", stdin=raw(sound))[1].splitlines()
    assert quiet == [*(line for line in told if "event" in line), summary]


def test_a_bundle_that_was_not_tuned_is_used_with_a_word_of_it(
    shared_bundle: Path, sound: NDArray[np.float32], wav: Callable[..., Path], capfd: Any
) -> None:
    assert run(["listen", str(wav("a.wav", sound)), "--model", str(shared_bundle)]) == 0
    assert "bands was not tuned" in capfd.readouterr().err


def test_one_channel_of_several_is_judged_when_it_is_named(
    listen: Listen, sound: NDArray[np.float32]
) -> None:
    both = raw(np.stack([np.zeros_like(sound), sound], axis=1))
    options = ("-", "--rate", 16_000, "--channels", 2, "--json")
    code, _, err = listen(*options, stdin=both)
    assert code == 2
    assert "2 channels" in err
    code, out, err = listen(*options, "--channel", 0, stdin=both)
    assert code == 0
    assert {v["status"] for v in lines(out, "verdict")} == {"no_signal"}
    assert "nothing but zeros has arrived for 3 s" in err
    out = listen(*options, "--channel", 1, stdin=both)[1]
    assert len(lines(out, "event")) == 2


def test_it_stops_after_so_much_sound(listen: Listen, sound: NDArray[np.float32]) -> None:
    code, out, _ = listen("-", "--rate", 16_000, "--seconds", 2.05, "--json", stdin=raw(sound))
    assert code == 0
    assert lines(out, "summary")[0]["heard_s"] == 2.05
    assert len(lines(out, "verdict")) == 7


def test_samples_in_the_wrong_format_end_it_with_their_fault(
    listen: Listen, sound: NDArray[np.float32]
) -> None:
    data = (sound * 32767).astype("<f4").tobytes()
    code, out, err = listen("-", "--rate", 16_000, "--format", "f32", "--json", stdin=data)
    assert code == 2
    assert "whole numbers" in err or "expected floats in [-1, 1]" in err
    assert lines(out, "summary")[0]["verdicts"] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-",), "ended before it began"),
        (("nothing.wav",), "cannot be read"),
        (("nothing.wav", "--rate", 8000), "give - as the source"),
        (("-", "--device", "1"), "names a microphone"),
        (("-", "--rate", 8000, "--channel", "left"), "--channel should be"),
    ],
)
def test_what_cannot_be_listened_to_is_refused(
    listen: Listen, arguments: tuple[object, ...], words: str
) -> None:
    code, out, err = listen(*arguments)
    assert (code, out) == (2, "")
    assert words in err


def command(bundle: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "earlet", "listen", "--model", str(bundle), *arguments]


def start(bundle: Path, *arguments: str, **settings: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(bundle, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell starts what runs in its background with Ctrl-C ignored, and children inherit that.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        **settings,
    )


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_ends_with_a_summary_when_told_to(
    tuned: Path, sound: NDArray[np.float32], sent: signal.Signals, code: int
) -> None:
    process = start(tuned, "-", "--rate", "16000", "--json")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(raw(sound))
    process.stdin.flush()
    told = [json.loads(process.stdout.readline()) for _ in range(39)]
    # The pipe is open, and it waits for more.
    process.send_signal(sent)
    out, err = process.communicate(timeout=30)
    rows = [*told, *map(json.loads, out.splitlines())]
    assert process.returncode == code
    assert [r["kind"] for r in rows].count("summary") == 1
    assert [r["phase"] for r in rows if r["kind"] == "event"] == ["begin", "end"]
    assert b"Traceback" not in err


def test_a_reader_that_leaves_ends_it_quietly(
    tuned: Path, sound: NDArray[np.float32], tmp_path: Path
) -> None:
    file = tmp_path / "sound.raw"
    file.write_bytes(raw(sound))
    reading, writing = os.pipe()
    os.close(reading)
    with file.open("rb") as stdin:
        done = subprocess.run(
            command(tuned, "-", "--rate", "16000", "--json"),
            stdin=stdin,
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
        )
    os.close(writing)
    assert done.returncode == 141
    assert b"Traceback" not in done.stderr


_ASOUND = """
pcm.!default {{ type plug slave {{ pcm "recorded" format S16_LE rate 48000 channels 1 }} }}
pcm.recorded {{ type file slave.pcm {{ type null }} file /dev/null infile "{file}" format raw }}
"""


@pytest.fixture
def microphone(sound: NDArray[np.float32], tmp_path: Path) -> dict[str, str]:
    """An environment whose ALSA default device plays a recording at 48 kHz, and nothing else."""
    if find_library("portaudio") is None or find_library("asound") is None:
        pytest.skip("needs PortAudio over ALSA: apt install libportaudio2")
    recorded = tmp_path / "recorded.raw"
    recorded.write_bytes(raw(np.repeat(sound, 3)))
    settings = tmp_path / "asound.conf"
    settings.write_text(_ASOUND.format(file=recorded))
    return {**os.environ, "ALSA_CONFIG_PATH": str(settings)}


def test_a_microphone_is_opened_at_its_own_rate(tuned: Path, microphone: dict[str, str]) -> None:
    process = start(tuned, "--device", "default", "--seconds", "10", "--json", env=microphone)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    (summary,) = lines(out.decode(), "summary")
    assert (summary["source"], summary["heard_s"]) == ("default", 10.0)
    begin, _ = lines(out.decode(), "event")
    # The device may have played a little before it was asked.
    assert 3.0 <= begin["start_s"] <= 4.5
    listed = start(tuned, "--devices", env=microphone)
    out, _ = listed.communicate(timeout=60)
    assert listed.returncode == 0
    assert b"default  (ALSA)" in out
    wrong = start(tuned, "--device", "Blue Yeti", env=microphone)
    _, err = wrong.communicate(timeout=60)
    assert wrong.returncode == 2
    assert b"'Blue Yeti' is not a device with an input" in err


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_live_line_is_written_over_and_never_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    terminal = Terminal()
    line = LiveLine(terminal)
    line.show(heard_s=3723.44, level_db=-31.0, verdict=None, smoothed=None)
    assert terminal.getvalue() == "\r\x1b[2K1:02:03.4  [######------]  -31 dB  listeni"[:44]
    line.wipe()
    assert terminal.getvalue().endswith("\r\x1b[2K")
    elsewhere = io.StringIO()
    LiveLine(elsewhere).show(heard_s=0, level_db=0, verdict=None, smoothed=None)
    assert elsewhere.getvalue() == ""


def test_meter_and_clock() -> None:
    assert meter(-np.inf) == "[------------]  silence"
    assert meter(-120.0).startswith("[------------]")
    assert meter(-59.0).startswith("[#-----------]")
    assert meter(3.0).startswith("[############]")
    assert (clock(0), clock(59.96), clock(3600)) == ("00:00.0", "01:00.0", "1:00:00.0")


def test_an_ear_says_the_same_however_the_sound_is_cut(
    tuned: Path, sound: NDArray[np.float32]
) -> None:
    detector = Detector(find(tuned))
    told = []
    for size in (1, 777, 16_000, len(sound)):
        ear = Ear(detector=detector, events=Events(untuned(0.25), label="synthetic"), channel=None)
        source = Source(name="s", sample_rate_hz=16_000, channels=1, pieces=iter(()))
        begun = time.monotonic()
        said = []
        for at in range(0, len(sound) if size > 1 else 20_000, size):
            said += ear.hear(sound[at : at + size], source)
        assert time.monotonic() - begun < 60
        told.append([one.event or one.verdict for one in said])
    assert told[1] == told[2] == told[3]
    assert told[0] == told[1][: len(told[0])]
