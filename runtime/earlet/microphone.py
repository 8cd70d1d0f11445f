"""The microphone: opened at its own rate, because many open at no other; we resample ourselves.

Uses the package sounddevice (the extra `mic`), which is imported on first use.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from earlet.errors import AudioError, MissingExtra
from earlet.sound_in import PIECE_S, Samples, Source

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Device:
    """A sound device that can be listened to."""

    index: int
    name: str
    system: str
    channels: int
    sample_rate_hz: int
    is_default: bool


def devices() -> list[Device]:
    """All that have an input. Raises MissingExtra, AudioError."""
    sounddevice = _sounddevice()
    default = _default_index(sounddevice)
    systems = sounddevice.query_hostapis()
    return [
        Device(
            index=index,
            name=str(found["name"]),
            system=str(systems[found["hostapi"]]["name"]),
            channels=int(found["max_input_channels"]),
            sample_rate_hz=round(found["default_samplerate"]),
            is_default=index == default,
        )
        for index, found in enumerate(sounddevice.query_devices())
        if found["max_input_channels"] > 0
    ]


def choose(wanted: str | None) -> Device:
    """By number, by a part of its name, or the default one. Raises AudioError, MissingExtra."""
    found = devices()
    if not found:
        raise AudioError(
            "there is no microphone here: no device has an input. Plug one in, or pipe sound in: "
            "arecord -f S16_LE -r 16000 -c 1 -t raw | earlet listen - --rate 16000"
        )
    if wanted is None:
        return next((d for d in found if d.is_default), found[0])
    by_number = [d for d in found if str(d.index) == wanted]
    by_name = [d for d in found if wanted.casefold() in d.name.casefold()]
    exact = [d for d in by_name if d.name == wanted]
    matches = by_number or exact or by_name
    if len(matches) != 1:
        listed = ", ".join(f"{d.index} {d.name!r}" for d in matches or found)
        what = "is not a device with an input" if not matches else "may mean several devices"
        raise AudioError(f"{wanted!r} {what}. Give the number or name of one of: {listed}.")
    return matches[0]


@contextmanager
def open_microphone(device: Device, *, channels: int = 1) -> Iterator[Source]:
    """Its sound from now on, at its own rate. Raises AudioError where it cannot be opened.

    Raises AudioError from `pieces`, too, where the device goes away while it is listened to.
    """
    sounddevice = _sounddevice()
    if channels > device.channels:
        raise AudioError(
            f"the microphone {device.name!r} has {device.channels} channel(s), counted from 0. "
            "Pick one of them with --channel."
        )
    try:
        stream = sounddevice.InputStream(
            device=device.index,
            channels=channels,
            samplerate=device.sample_rate_hz,
            dtype="float32",
        )
        stream.start()
    except sounddevice.PortAudioError as error:
        raise AudioError(
            f"the microphone {device.name!r} cannot be opened at its own {device.sample_rate_hz} "
            f"Hz ({_reason(error)}). Another program may hold it; earlet listen --devices lists "
            "the others."
        ) from None

    def pieces() -> Iterator[Samples]:
        frames = round(PIECE_S * device.sample_rate_hz)
        while True:
            try:
                heard, was_lost = stream.read(frames)
            except sounddevice.PortAudioError as error:
                raise AudioError(
                    f"the microphone {device.name!r} gives no more sound ({_reason(error)}). Was "
                    "it unplugged?"
                ) from None
            if was_lost:
                _LOG.warning("sound was lost: this machine takes longer to judge it than it lasts")
            yield heard[:, 0] if channels == 1 else heard

    try:
        yield Source(
            name=device.name,
            sample_rate_hz=device.sample_rate_hz,
            channels=channels,
            pieces=pieces(),
        )
    finally:
        stream.close(ignore_errors=True)


def _default_index(sounddevice: Any) -> int:
    try:
        return int(sounddevice.query_devices(kind="input")["index"])
    except (sounddevice.PortAudioError, ValueError):
        return -1


def _reason(error: Exception) -> str:
    """PortAudio's own words, without its numbers."""
    return str(error.args[0] if error.args else error).strip().rstrip(".")


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ModuleNotFoundError as error:
        if error.name != "sounddevice":
            raise
        raise MissingExtra(module="sounddevice", extra="mic") from None
    except OSError as error:
        # The package is there and the C library is not: its Linux wheels leave it out.
        raise AudioError(
            f"the package sounddevice finds no PortAudio ({error}). "
            "Install it with: apt install libportaudio2"
        ) from None
    return sounddevice
