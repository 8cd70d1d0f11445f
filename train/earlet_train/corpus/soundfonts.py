"""Plays single notes of a SoundFont through fluidsynth, from the unpacked Debian packages."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from earlet.errors import CorpusError
from earlet_train.corpus.engine import Samples
from earlet_train.corpus.engines.programs import run_program, working_folder
from earlet_train.corpus.speech_level import SAMPLE_RATE_HZ, resample

NOTE_S = 2.0  # as long as a clip is
HELD_MS = 1600  # then the key is let go, and the sound decays as the instrument does
SLOT_MS = 2500  # from one note to the next: nothing of a note is left in the next one's clip
NOTES_PER_RUN = 64
# Rendered above the SoundFonts' own 44.1 kHz and then filtered: fluidsynth interpolates without a
# low-pass, so at 16 kHz everything above 8 kHz would fold back into the note.
RENDER_RATE_HZ = 48_000
GAIN = 0.2

PROGRAM = "fluidsynth"
# The shared libraries that it needs beyond a bare Debian 12. Most are for sound cards and windows,
# which nobody opens here.
LIBRARIES = (
    *("libfluidsynth3", "libinstpatch-1.0-2", "libglib2.0-0", "libjack-jackd2-0", "libreadline8"),
    *("libsdl2-2.0-0", "libsamplerate0", "libdecor-0-0", "libdrm2", "libexpat1", "libgbm1"),
    *("libwayland-client0", "libwayland-cursor0", "libwayland-egl1", "libwayland-server0"),
    *("libxcursor1", "libxext6", "libxfixes3", "libxi6", "libxkbcommon0", "libxrandr2"),
    *("libxrender1", "libxss1", "libsndfile1", "libflac12", "libogg0", "libvorbis0a"),
    *("libvorbisenc2", "libopus0", "libmp3lame0", "libmpg123-0", "libasound2", "libpulse0"),
    *("libasyncns0", "libdbus-1-3", "libgomp1", "libtinfo6", "libx11-6", "libx11-xcb1", "libxau6"),
    *("libxcb1", "libxdmcp6", "libbsd0", "libmd0"),
)


@dataclass(frozen=True, kw_only=True, order=True)
class Note:
    """A General MIDI program counted from 0, a key (60 is middle C), a velocity in 1..127."""

    program: int
    key: int
    velocity: int


def render_notes(notes: Sequence[Note], *, font: Path, store: Path) -> list[Samples]:
    """Notes -> waveforms [32000] each, 16 kHz, mono, at the SoundFont's own level (peaks ~0.05).

    Held 1.6 s of 2 s; no reverb, no chorus. Raises CorpusError where fluidsynth cannot be run.
    """
    rendered: list[Samples] = []
    for start in range(0, len(notes), NOTES_PER_RUN):
        rendered += _render(notes[start : start + NOTES_PER_RUN], font=font, store=store)
    return rendered


def midi_file(notes: Sequence[Note]) -> bytes:
    """The notes as a standard MIDI file (format 0), one every 2.5 s, in ticks of 1 ms.

    Each is silenced at the end of its clip, so that it cannot sound on into the next one.
    """
    track = _event(0, b"\xff\x51\x03" + (1_000_000).to_bytes(3, "big"))  # 1 s to the quarter
    for note in notes:
        program = bytes([0xC0, note.program])
        down, up = bytes([0x90, note.key, note.velocity]), bytes([0x80, note.key, 0])
        all_sound_off = bytes([0xB0, 120, 0])
        track += _event(0, program) + _event(0, down) + _event(HELD_MS, up)
        track += _event(int(1000 * NOTE_S) - HELD_MS, all_sound_off)
        # A controller that nothing listens to carries the time to the next note.
        track += _event(SLOT_MS - int(1000 * NOTE_S), bytes([0xB0, 119, 0]))
    track += _event(0, b"\xff\x2f\x00")
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 1000)
    return header + b"MTrk" + struct.pack(">I", len(track)) + track


def _event(after_ms: int, message: bytes) -> bytes:
    """The time since the event before, seven bits to a byte, and the event."""
    time = [after_ms & 0x7F]
    while after_ms := after_ms >> 7:
        time.insert(0, after_ms & 0x7F | 0x80)
    return bytes(time) + message


def _render(notes: Sequence[Note], *, font: Path, store: Path) -> list[Samples]:
    import soundfile

    with working_folder() as folder:
        (folder / "notes.mid").write_bytes(midi_file(notes))
        # An empty file of commands instead of the user's own, which could change the sound.
        (folder / "commands").touch()
        said = run_program(
            PROGRAM,
            [
                *("-n", "-i", "-q", "-f", "commands", "-R", "0", "-C", "0", "-g", str(GAIN)),
                *("-o", "synth.dynamic-sample-loading=1", "-r", str(RENDER_RATE_HZ)),
                *("-T", "wav", "-O", "float", "-F", "notes.wav", str(font.resolve()), "notes.mid"),
            ],
            store=store,
            package=PROGRAM,
            folder=folder,
            libraries=LIBRARIES,
        )
        file = folder / "notes.wav"
        if said is None or not file.is_file():
            raise CorpusError(
                f"fluidsynth could not play {font.name}. Its packages are pinned for amd64; "
                "elsewhere install it (apt install fluidsynth) and build again."
            )
        sound, _ = soundfile.read(file, dtype="float32", always_2d=True)
    slot, length = RENDER_RATE_HZ * SLOT_MS // 1000, int(RENDER_RATE_HZ * NOTE_S)
    starts = [slot * number for number in range(len(notes))]
    if len(sound) < starts[-1] + length:
        raise CorpusError(
            f"fluidsynth played {len(sound) / RENDER_RATE_HZ:.1f} s of {font.name}, expected at "
            f"least {(starts[-1] + length) / RENDER_RATE_HZ:.1f} s: delete the package from the "
            "cache and build again."
        )
    mono = np.asarray(sound.mean(axis=1), np.float32)
    return [resample(mono[s : s + length], RENDER_RATE_HZ, SAMPLE_RATE_HZ) for s in starts]
