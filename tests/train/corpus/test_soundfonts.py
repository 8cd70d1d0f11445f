"""The MIDI file that fluidsynth is given, read by another reader than the one that wrote it."""

import struct
from pathlib import Path

import numpy as np
import pytest

from earlet.errors import CorpusError
from earlet_train.corpus.packages import PACKAGES, fetch
from earlet_train.corpus.soundfonts import LIBRARIES, PROGRAM, Note, midi_file, render_notes

NOTES = [
    Note(program=73, key=60, velocity=127),
    Note(program=0, key=93, velocity=1),
    Note(program=127, key=33, velocity=64),
]


def read_midi(data: bytes) -> list[tuple[int, bytes]]:
    """All events of a format 0 file without running status: (time in ms, bytes)."""
    head, length, kind, tracks, ticks = struct.unpack(">4sIHHH", data[:14])
    assert (head, length, kind, tracks) == (b"MThd", 6, 0, 1)
    mark, size = struct.unpack(">4sI", data[14:22])
    assert mark == b"MTrk"
    assert len(data) == 22 + size
    events, at, time, us_per_quarter = [], 22, 0, 0
    while at < len(data):
        delta = 0
        while True:
            byte, at = data[at], at + 1
            delta = delta << 7 | byte & 127
            if byte < 128:
                break
        time += delta
        status = data[at]
        count = 3 + data[at + 2] if status == 0xFF else 2 if status >> 4 == 0xC else 3
        event, at = data[at : at + count], at + count
        if event[:2] == b"\xff\x51":
            us_per_quarter = int.from_bytes(event[3:], "big")
        events.append((time * us_per_quarter // ticks // 1000, event))
    return events


def test_each_note_is_held_for_1_6_s_and_silenced_before_the_next() -> None:
    events = read_midi(midi_file(NOTES))
    for number, note in enumerate(NOTES):
        start_ms = 2500 * number
        own = [(t - start_ms, e) for t, e in events if start_ms <= t < start_ms + 2500]
        assert (0, bytes([0xC0, note.program])) in own
        assert (0, bytes([0x90, note.key, note.velocity])) in own
        assert (1600, bytes([0x80, note.key, 0])) in own
        assert (2000, bytes([0xB0, 120, 0])) in own
        assert own.index((0, bytes([0xC0, note.program]))) < own.index(
            (0, bytes([0x90, note.key, note.velocity]))
        )


def test_the_file_lasts_as_long_as_its_notes() -> None:
    time_ms, last = read_midi(midi_file(NOTES))[-1]
    assert last == b"\xff\x2f\x00"
    assert time_ms == 2500 * len(NOTES)


def test_whatever_fluidsynth_needs_is_pinned() -> None:
    assert {PROGRAM, *LIBRARIES} <= set(PACKAGES)


def test_a_machine_without_fluidsynth_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CorpusError, match="apt install fluidsynth"):
        render_notes(NOTES, font=tmp_path / "none.sf2", store=tmp_path)


@pytest.mark.slow
def test_a_flute_sounds_at_the_key_that_was_pressed_and_stops() -> None:
    store = fetch([PROGRAM, *LIBRARIES, "timgm6mb-soundfont"]).folder
    font = store / "timgm6mb-soundfont/usr/share/sounds/sf2/TimGM6mb.sf2"
    keys = (60, 69, 81)
    notes = [Note(program=73, key=key, velocity=100) for key in keys]
    for key, sound in zip(keys, render_notes(notes, font=font, store=store), strict=True):
        assert sound.shape == (32_000,)
        spectrum = np.abs(np.fft.rfft(sound[4_000:20_000] * np.hanning(16_000), 1 << 18))
        expected_hz = 440 * 2 ** ((key - 69) / 12)
        bin_hz = 16_000 / (1 << 18)
        near = slice(int(expected_hz * 0.94 / bin_hz), int(expected_hz * 1.06 / bin_hz))
        found_hz = (near.start + int(spectrum[near].argmax())) * bin_hz
        assert abs(1200 * np.log2(found_hz / expected_hz)) < 20
        # A quarter of a second after the key is let go the flute has all but stopped.
        assert np.abs(sound[30_000:]).max() < 0.1 * np.abs(sound[4_000:20_000]).max()
