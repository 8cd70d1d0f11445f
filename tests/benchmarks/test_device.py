"""The device record: enough to compare machines, nothing that names one."""

import dataclasses
import json
import os
import platform
from pathlib import Path

import pytest

from earlet_bench.device import Device, this_device, throttle_words


def test_the_record_says_what_decides_speed() -> None:
    device = this_device()
    assert device.cores >= 1
    assert device.cores_present >= device.cores
    assert device.machine == platform.machine()
    assert device.onnxruntime[0].isdigit()
    assert device.python.endswith(platform.python_version())
    if Path("/proc/meminfo").exists():
        assert device.memory_bytes is not None
        assert device.memory_bytes > 50_000_000


def test_no_host_name_and_no_home_folder_is_in_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.uname()
    secret = os.uname_result((real.sysname, "gandalfs-laptop", real.release, "x", real.machine))
    monkeypatch.setattr(os, "uname", lambda: secret)
    monkeypatch.setattr(platform, "_uname_cache", None, raising=False)
    assert platform.node() == "gandalfs-laptop"
    text = json.dumps(dataclasses.asdict(this_device()))
    assert "gandalf" not in text
    assert str(Path.home()) not in text


def test_a_kernel_built_by_somebody_keeps_only_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "release", lambda: "6.6.31+rpt-rpi-v8-alices-build")
    assert this_device().kernel.endswith(" 6.6.31")


def test_the_file_name_is_the_board_where_there_is_one() -> None:
    device = this_device()
    pi = dataclasses.replace(device, board="Raspberry Pi 5 Model B Rev 1.0")
    assert pi.slug == "raspberry-pi-5-model-b-rev-1-0"
    other = dataclasses.replace(
        device, board=None, machine="x86_64", cpu="AMD EPYC 9B14/Ü", cores=2
    )
    assert other.slug == "x86-64-amd-epyc-9b14-2-cores"


def test_throttle_bits_become_words() -> None:
    assert throttle_words(0x0) == ()
    assert throttle_words(0x50005) == (
        "under-voltage now",
        "throttled now",
        "under-voltage since boot",
        "throttled since boot",
    )


def test_a_board_with_the_firmware_tool_reports_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "vcgencmd"
    tool.write_text("#!/bin/sh\necho throttled=0x20002\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found: Device = this_device()
    assert found.throttled == ("clock capped now", "clock capped since boot")
